//go:build !race

package ledger

const measuresMemory = true
