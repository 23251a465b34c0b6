//go:build !unix

package main

import (
	"errors"
	"os"

	"tlslift/proxy/call"
)

// upgradeSignals is empty, because a process cannot hand its sockets to another here.
var upgradeSignals []os.Signal

// previous is the process that this one replaces; there is none on this platform.
type previous struct {
	PID        int
	AccountKey []byte
	Server     []byte
}

func previousProcess() (*previous, error) { return nil, nil }

func (a *app) inherit() error { return a.inheritManaged() }

func (*previous) Ready() error { return nil }

func (*previous) Ending() {}

func (*previous) Serving(func(*call.Outcome)) (uint64, error) { return 0, nil }

// upgrade does not exist on this platform.
type upgrade struct{ done chan error }

func (a *app) abandonUpgrade() {}

func (a *app) upgradeFailed(error) {}

func (a *app) beginUpgrade() {}

func (a *app) handOver(signals) (bool, error) {
	return false, errors.ErrUnsupported
}
