package fixes

import (
	"iter"
	"slices"
)

// Known reports whether the tables have anything about a client's library or
// program.
func Known(c Client) bool {
	return runtimeOf(programs, c.Program) != nil || runtimeOf(libraries, c.Library) != nil
}

// Runtimes yields every program and TLS library of the tables.
func Runtimes() iter.Seq[Runtime] {
	return func(yield func(Runtime) bool) {
		for _, r := range slices.Concat(programs, libraries) {
			if !yield(r) {
				return
			}
		}
	}
}
