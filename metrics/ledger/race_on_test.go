//go:build race

package ledger

// memoryFactor is how much more memory the race detector's shadow takes.
const memoryFactor = 2
