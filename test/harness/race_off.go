//go:build !race

package harness

// RaceEnabled says that a test under the race detector runs a binary under it too.
const RaceEnabled = false
