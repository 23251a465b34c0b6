//go:build unix

package handover

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"tlslift/proxy/call"
)

// Previous is the process that this one replaces.
type Previous struct {
	State
	Listeners []net.Listener // in the order of State.Sockets
	talk      *talk
}

// Inherited returns the process that this one must replace, or nil if there is
// none. Call it once, at the start.
func Inherited() (*Previous, error) {
	if os.Getenv(variable) == "" {
		return nil, nil
	}
	_ = os.Unsetenv(variable) // processes that this one starts must not see it
	unix.CloseOnExec(conversation)
	t, err := newTalk(os.NewFile(conversation, "handover"))
	if err != nil {
		return nil, fmt.Errorf("take over from another process: %w", err)
	}
	state, err := t.state()
	if err != nil {
		return nil, fmt.Errorf("take over from another process: it does not say what it has: %w", err)
	}
	p := &Previous{State: *state, talk: t}
	for i, s := range p.Sockets {
		unix.CloseOnExec(firstSocket + i)
		f := os.NewFile(uintptr(firstSocket+i), s.Address)
		ln, err := net.FileListener(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("take over the socket of %s: %w", s.Address, err)
		}
		p.Listeners = append(p.Listeners, ln)
	}
	return p, nil
}

// state receives the first message of the old process.
func (t *talk) state() (*State, error) {
	_ = t.SetReadDeadline(time.Now().Add(stall))
	var m message
	err := t.in.Decode(&m)
	if err == nil && m.State == nil {
		err = errors.New("its first message has no state")
	}
	return m.State, err
}

// Ready notifies the old process that this one has started, and waits until it may
// serve. It fails if the old process ended, or abandoned the upgrade.
func (p *Previous) Ready() error {
	if err := p.talk.send(message{Kind: wordReady}); err != nil {
		return fmt.Errorf("notify the old process: %w", err)
	}
	if err := p.talk.receive(wordGo, time.Now().Add(stall)); err != nil {
		return fmt.Errorf("wait for the old process: %w", closedError(err, "it ended, or keeps serving"))
	}
	return nil
}

// Ending notifies the old process that this one is about to end and waits only for
// done. Call it only after Serving has begun.
func (p *Previous) Ending() { _ = p.talk.send(message{Kind: wordEnding}) }

// Serving notifies the old process that this one serves, and calls count for each
// of its outcomes until it is done. It returns the argument of Next.Finish, or an
// error if outcomes may be lost.
func (p *Previous) Serving(count func(*call.Outcome)) (linesLost uint64, err error) {
	defer p.talk.Close()
	if err := p.talk.send(message{Kind: wordServing}); err != nil {
		return 0, fmt.Errorf("notify the old process: %w", err)
	}
	_ = p.talk.SetReadDeadline(time.Time{})
	var unread error // an outcome that another version may have written
	for {
		var m message
		switch err := p.talk.in.Decode(&m); {
		case err != nil:
			return 0, fmt.Errorf("hear what the old process counts: %w", closedError(err, "it ended without saying that it was done"))
		case m.Kind == wordDone:
			return m.LinesLost, unread
		case m.Outcome == nil:
			continue
		}
		if o, err := Decode(m.Outcome); err == nil {
			count(o)
		} else {
			unread = fmt.Errorf("read what the old process counts: %w", err)
		}
	}
}
