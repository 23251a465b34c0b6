//go:build !unix

package main

import "io"

func isJournal(io.Writer) bool { return false }
