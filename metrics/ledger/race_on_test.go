//go:build race

package ledger

// The race detector's shadow of the memory makes its measure meaningless.
const measuresMemory = false
