//go:build unix

package main

import "golang.org/x/sys/unix"

// windowColumns asks a terminal for its width; ok is false for anything else.
func windowColumns(fd uintptr) (columns int, ok bool) {
	size, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	return int(size.Col), true
}
