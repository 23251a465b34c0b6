//go:build !unix

package main

import (
	"errors"
	"os"

	"tlslift/proxy/call"
)

// upgradeSignals is empty where a process cannot hand its sockets to another.
var upgradeSignals []os.Signal

// previous is the process whose place this one takes: there is none here.
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

// upgrade is not there on this platform.
type upgrade struct{ done chan error }

func (a *app) abandonUpgrade() {}

func (a *app) upgradeFailed(error) {}

func (a *app) beginUpgrade() {}

func (a *app) handOver(signals) (bool, error) {
	return false, errors.ErrUnsupported
}
