//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"tlslift/metrics/admin"
	"tlslift/proxy/call"
	"tlslift/proxy/handover"
)

// readyWithin is how long a new process may take to become ready.
const readyWithin = 30 * time.Second

// upgradeSignals ask for a new process that replaces this one.
var upgradeSignals = []os.Signal{syscall.SIGUSR2}

// previous is the process that this one replaces.
type previous = handover.Previous

func previousProcess() (*previous, error) { return handover.Inherited() }

// inherit takes the sockets that another process opened for this one: the process
// that it replaces, or a service manager.
func (a *app) inherit() error {
	if a.previous == nil {
		return a.inheritManaged()
	}
	for i, s := range a.previous.Sockets {
		a.inherited.Add(s.Address, a.previous.Listeners[i])
		if s.Managed {
			a.managed = append(a.managed, s.Address)
		}
	}
	return nil
}

// upgrade is a new process that is starting, or has started, to replace this one.
type upgrade struct {
	cancel context.CancelCauseFunc
	done   chan error // one result
	next   *handover.Next
}

// abandonUpgrade stops a process that is still starting.
func (a *app) abandonUpgrade() {
	if a.upgrade == nil {
		return
	}
	a.upgrade.cancel(errors.New("this process is stopping"))
	if err := <-a.upgrade.done; err == nil {
		a.upgrade.next.Abandon()
	}
	a.upgrade = nil
}

// beginUpgrade starts the new process, and sends its result to a.upgrade.done.
func (a *app) beginUpgrade() {
	if a.upgrade != nil {
		a.log.Warn("an upgrade is already in progress")
		return
	}
	u := &upgrade{done: make(chan error, 1)}
	if os.Getpid() == 1 {
		a.upgradeFailed(errors.New("this process is PID 1, and its container ends with it: replace the container instead (kubectl rollout restart)"))
		return
	}
	a.lastUpgrade.Store(nil)
	state, listeners := a.handoverState()
	path := a.path
	a.log.Info("upgrading", zap.String("program", path))
	ctx, cancel := context.WithTimeoutCause(context.Background(), readyWithin, fmt.Errorf("it was not ready within %v", readyWithin))
	ctx, u.cancel = context.WithCancelCause(ctx)
	a.upgrade = u
	go func() {
		defer cancel()
		var err error
		u.next, err = handover.Start(ctx, handover.Program{Path: path, Args: os.Args, Env: os.Environ()}, state, listeners)
		u.done <- err
	}()
}

// handoverState returns what a new process is given.
func (a *app) handoverState() (state handover.State, listeners []net.Listener) {
	state = handover.State{PID: os.Getpid(), AccountKey: a.accountKey, Server: a.server.Secrets()}
	add := func(address string, ln net.Listener) {
		state.Sockets = append(state.Sockets, handover.Socket{Address: address, Managed: slices.Contains(a.managed, address)})
		listeners = append(listeners, ln)
	}
	for _, l := range a.adminListeners {
		add(l.address, l.Listener)
	}
	a.server.EachListener(add)
	return state, listeners
}

func (a *app) upgradeFailed(err error) {
	a.log.Error("upgrade failed, this process keeps serving", zap.Error(err))
	a.lastUpgrade.Store(&err)
}

// handOver lets the new process serve, and ends this one after it has finished
// its work. It returns false if this process keeps serving after all.
func (a *app) handOver(on signals) (bool, error) {
	next := a.upgrade.next
	h := &heir{next: next, log: a.log.Logger}
	a.server.HandOver(h.count)
	err := a.ledger.Release()
	if err == nil {
		err = next.Go()
	} else {
		next.Abandon()
	}
	if err != nil {
		a.server.HandOver(nil)
		a.ledger.Reclaim()
		h.takeBack(a.server.Count)
		return false, err
	}
	notify(fmt.Sprintf("MAINPID=%d", next.PID()))
	h.begin()
	a.admin.SetState(admin.Stopping)
	a.log.Info("upgraded: the new process serves, this one finishes what it has", zap.Int("next", next.PID()))
	return true, a.finish(on, next)
}

// finish ends a process that another has replaced. It takes at most
// limits.upgrade_timeout, or drains if a signal asks it to stop.
func (a *app) finish(on signals, next *handover.Next) error {
	go a.closeAdmin()
	limits := a.cfg.Load().Limits
	// When that time is over, the rest is drained.
	drain := min(limits.DrainTimeout, limits.UpgradeTimeout/2)
	retiring, retired := context.WithTimeout(context.Background(), limits.UpgradeTimeout-drain)
	defer retired()
	var signalled bool
	var failure error
	var waiting sync.WaitGroup
	waiting.Go(func() {
		defer retired()
		signalled, failure = a.untilTold(retiring, on, next)
	})
	left := a.server.Retire(retiring)
	select {
	case <-a.adopted: // the outcomes of an earlier process pass through this one
	case <-retiring.Done():
	}
	retired()
	waiting.Wait()
	if failure != nil {
		a.log.Error("no process is serving", zap.Error(failure))
	}
	if left > 0 {
		a.log.Info("draining", zap.String("why", "upgraded"), zap.Int("connections", left), zap.Duration("timeout", drain))
	}
	a.end(on, signalled, 0, drain)
	linesLost, _ := a.log.sink.Close()
	next.Finish(linesLost)
	return failure
}

// untilTold waits for a reason to end early: a signal, or the end of the next
// process. It returns an error if that ended unexpectedly.
func (a *app) untilTold(ctx context.Context, on signals, next *handover.Next) (signalled bool, err error) {
	ignored := func(s os.Signal) {
		a.log.Warn("another process serves; this one only finishes what it has", zap.Stringer("signal", s), zap.Int("next", next.PID()))
	}
	for {
		select {
		case <-on.end:
			return true, nil
		case s := <-on.reload:
			ignored(s)
		case s := <-on.upgrade:
			ignored(s)
		case err := <-next.Done():
			return false, err
		case <-ctx.Done():
			return false, nil
		}
	}
}

// heir makes the next process count outcomes. It keeps them until that process
// serves; if that fails, they are counted here after all.
type heir struct {
	next *handover.Next
	log  *zap.Logger

	mu      sync.Mutex
	serving bool
	kept    []json.RawMessage
}

// count implements the function that Server.HandOver calls.
func (h *heir) count(o *call.Outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept = append(h.kept, handover.Encode(o))
	h.send()
}

// begin sends what was kept, and from then on everything at once.
func (h *heir) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serving = true
	h.send()
}

func (h *heir) send() {
	if !h.serving {
		return
	}
	for _, encoded := range h.kept {
		if err := h.next.Outcome(encoded); err != nil {
			h.log.Error("the new process no longer counts the outcomes of this one", zap.Error(err))
		}
	}
	h.kept = nil
}

// takeBack passes what was kept to count.
func (h *heir) takeBack(count func(*call.Outcome)) {
	for _, encoded := range h.kept {
		if o, err := handover.Decode(encoded); err == nil {
			count(o)
		}
	}
}
