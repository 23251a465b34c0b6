//go:build !unix

package harness

import "syscall"

// upgradeSignal has no meaning here: tlslift cannot replace itself.
const upgradeSignal = syscall.SIGTERM
