//go:build race

package harness

// RaceEnabled: a test under the race detector runs a binary under it too.
const RaceEnabled = true
