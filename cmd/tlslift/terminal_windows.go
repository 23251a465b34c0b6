package main

import "golang.org/x/sys/windows"

// windowColumns asks a console for its width; ok is false for anything else.
func windowColumns(fd uintptr) (columns int, ok bool) {
	var info windows.ConsoleScreenBufferInfo
	if err := windows.GetConsoleScreenBufferInfo(windows.Handle(fd), &info); err != nil {
		return 0, false
	}
	return int(info.Window.Right) - int(info.Window.Left) + 1, true
}
