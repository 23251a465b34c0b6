//go:build unix

package handover

import (
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"tlslift/proxy/call"
)

// Previous is the process whose place this one takes.
type Previous struct {
	State
	Listeners []net.Listener // in the order of State.Sockets
	talk      *talk
}

// Inherited returns the process whose place this one is to take, nil if there
// is none. It is called once, at the start.
func Inherited() (*Previous, error) {
	if os.Getenv(variable) == "" {
		return nil, nil
	}
	_ = os.Unsetenv(variable) // not for processes that this one starts
	unix.CloseOnExec(conversation)
	t, err := newTalk(os.NewFile(conversation, "handover"))
	if err != nil {
		return nil, fmt.Errorf("take over from another process: %w", err)
	}
	_ = t.SetReadDeadline(time.Now().Add(stall))
	var m message
	if err := t.in.Decode(&m); err != nil || m.State == nil {
		return nil, fmt.Errorf("take over from another process: it does not say what it has: %w", err)
	}
	p := &Previous{State: *m.State, talk: t}
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

// Ready says that this process could start, and waits until it is to serve. It
// returns an error if the old process gave it up, or ended.
func (p *Previous) Ready() error {
	if err := p.talk.send(message{Kind: wordReady}); err != nil {
		return fmt.Errorf("notify the old process: %w", err)
	}
	if err := p.talk.receive(wordGo, time.Now().Add(stall)); err != nil {
		return fmt.Errorf("wait for the old process: %w", closedError(err, "it ended, or keeps serving"))
	}
	return nil
}

// Ending says that this process is to end, so that the old one does not take
// all of its time. Serving must have begun.
func (p *Previous) Ending() { _ = p.talk.send(message{Kind: wordEnding}) }

// Serving says that this process serves, and hands each outcome of the old
// process to count until that is done. It returns what Next.Finish was given, and an
// error if outcomes may be lost.
func (p *Previous) Serving(count func(*call.Outcome)) (linesLost uint64, err error) {
	defer p.talk.Close()
	if err := p.talk.send(message{Kind: wordServing}); err != nil {
		return 0, fmt.Errorf("notify the old process: %w", err)
	}
	_ = p.talk.SetReadDeadline(time.Time{})
	for {
		var m message
		switch err := p.talk.in.Decode(&m); {
		case err != nil:
			return 0, fmt.Errorf("hear what the old process counts: %w", closedError(err, "it ended without saying that it was done"))
		case m.Kind == wordDone:
			return m.LinesLost, nil
		case m.Outcome == nil:
			continue
		}
		o, err := Decode(m.Outcome)
		if err != nil {
			return 0, fmt.Errorf("hear what the old process counts: %w", err)
		}
		count(o)
	}
}
