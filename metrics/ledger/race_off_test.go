//go:build !race

package ledger

const memoryFactor = 1
