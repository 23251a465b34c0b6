//go:build race

package http1

// raceEnabled says that the race detector is on, as in tests: buffers are
// poisoned when they are given back.
const raceEnabled = true
