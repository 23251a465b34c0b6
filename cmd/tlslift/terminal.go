package main

import (
	"io"
	"os"
)

// terminalColumns is the width of the terminal that w is, 0 when it is none.
func terminalColumns(w io.Writer) int {
	const usual = 80 // of one that does not say
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	columns, ok := windowColumns(f.Fd())
	if ok && columns <= 0 {
		return usual
	}
	return columns
}
