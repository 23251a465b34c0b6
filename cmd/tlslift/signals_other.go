//go:build !unix

package main

import "os"

// reloadSignals is empty where there is no SIGHUP: a change of the file is
// noticed all the same.
var reloadSignals []os.Signal

func isReload(os.Signal) bool { return false }
