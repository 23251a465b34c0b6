package main

import (
	"io"

	"golang.org/x/term"
)

// terminalColumns is the width of the terminal that w is, 0 when it is none.
func terminalColumns(w io.Writer) int {
	const usual = 80 // of one that does not say
	f, ok := w.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
		return columns
	}
	return usual
}
