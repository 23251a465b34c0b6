package main

import (
	"os"
	"runtime/debug"
)

// gcPercent lets the small heap of a proxy grow further between collections: at
// 100 it would be collected dozens of times a second under load, for a few
// megabytes.
const gcPercent = 400

// tuneMemory is called once everything has started: what the start needed is
// given back, so that an idle process is small, and the collector is told how
// lazy it may be. GOGC overrides; GOMEMLIMIT holds in any case.
func tuneMemory() {
	debug.FreeOSMemory()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
