//go:build race

package http1

// raceEnabled means that the race detector is on, as in tests: buffers are
// overwritten when they are returned to the pool.
const raceEnabled = true
