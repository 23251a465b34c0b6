package main

import (
	"io"

	"golang.org/x/term"
)

// terminalColumns returns the width of the terminal w, or 0 if w is not a terminal.
func terminalColumns(w io.Writer) int {
	const usual = 80 // for a terminal that does not report its width
	f, ok := w.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
		return columns
	}
	return usual
}
