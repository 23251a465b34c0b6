//go:build unix

package harness

import "syscall"

// upgradeSignal has tlslift replace itself.
const upgradeSignal = syscall.SIGUSR2
