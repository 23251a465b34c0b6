//go:build unix

package handover

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Next is the process that takes this one's place.
type Next struct {
	talk  *talk
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has
	done  chan error    // of Done

	broken atomic.Bool // an outcome could not be sent
}

// Program is what is started.
type Program struct {
	Path string   // looked up in PATH without a slash
	Args []string // the first one is the program's name
	Env  []string
}

// Start starts a process, tells it the state and waits until it is ready. The
// listeners are those of state.Sockets. With an error nothing is left of it.
func Start(ctx context.Context, program Program, state State, listeners []net.Listener) (next *Next, err error) {
	path, err := exec.LookPath(program.Path)
	if err != nil {
		return nil, err
	}
	near, far, err := pair()
	if err != nil {
		return nil, err
	}
	defer far.Close()
	n := &Next{talk: near, ended: make(chan struct{}), done: make(chan error, 1)}
	n.cmd = &exec.Cmd{
		Path: path, Args: program.Args, Env: append(without(program.Env, variable), variable+"=1"),
		Stdout: os.Stdout, Stderr: os.Stderr, ExtraFiles: []*os.File{far},
	}
	for _, ln := range listeners {
		f, err := file(ln)
		if err != nil {
			near.Close()
			return nil, err
		}
		defer f.Close()
		n.cmd.ExtraFiles = append(n.cmd.ExtraFiles, f)
	}
	if err := n.cmd.Start(); err != nil {
		near.Close()
		return nil, err
	}
	go func() {
		_ = n.cmd.Wait()
		close(n.ended)
	}()
	far.Close() // or the end of the process would not end the conversation
	if err := n.begin(ctx, state); err != nil {
		return nil, n.giveUp(err)
	}
	return n, nil
}

// begin tells the process what it gets and waits until it is ready.
func (n *Next) begin(ctx context.Context, state State) error {
	defer context.AfterFunc(ctx, func() { n.talk.Close() })()
	if err := n.talk.send(message{State: &state}); err != nil {
		return err
	}
	err := n.talk.receive(wordReady, time.Time{})
	if ctx.Err() != nil {
		return fmt.Errorf("it did not become ready: %w", context.Cause(ctx))
	}
	return err
}

// giveUp ends the process and says why.
func (n *Next) giveUp(why error) error {
	n.talk.Close()
	// The exit status of a process that is ending says more than its silence.
	select {
	case <-n.ended:
	case <-time.After(time.Second):
		_ = n.cmd.Process.Kill()
		<-n.ended
		return why
	}
	return fmt.Errorf("%w (process %d: %s)", closedError(why, "it ended before it was ready"), n.PID(), n.cmd.ProcessState)
}

// Go lets the process serve, and waits until it does. With an error it is ended.
func (n *Next) Go() error {
	if err := n.talk.send(message{Kind: wordGo}); err != nil {
		return n.giveUp(err)
	}
	if err := n.talk.receive(wordServing, time.Now().Add(stall)); err != nil {
		return n.giveUp(err)
	}
	go n.watch()
	return nil
}

// watch waits for the end of the process.
func (n *Next) watch() {
	n.done <- closedError(n.talk.receive(wordEnding, time.Time{}), "it has ended unexpectedly")
}

// Done receives, once, when the process no longer serves: nil if it is ending in
// an orderly way. It counts outcomes as long as there are some.
func (n *Next) Done() <-chan error { return n.done }

// Abandon ends the process before it serves.
func (n *Next) Abandon() { _ = n.giveUp(nil) }

// PID is the process's number.
func (n *Next) PID() int { return n.cmd.Process.Pid }

// Outcome hands an encoded outcome over, which is then the other process's to
// count. It returns an error once, when that becomes impossible.
func (n *Next) Outcome(encoded json.RawMessage) error {
	if n.broken.Load() {
		return nil
	}
	err := n.talk.send(message{Outcome: encoded})
	if err != nil && n.broken.Swap(true) {
		return nil
	}
	return err
}

// Finish says that there are no further outcomes, and how many lines of the log this
// process lost without a line that says so. It ends the conversation.
func (n *Next) Finish(linesLost uint64) {
	_ = n.talk.send(message{Kind: wordDone, LinesLost: linesLost})
	n.talk.Close()
}

// file is a descriptor of a listener that a process can inherit. It is not that
// of net.TCPListener.File, which os/exec would make blocking: so would be the
// listener, which is the same to the kernel, and closing it would wait for the
// next caller.
func file(ln net.Listener) (*os.File, error) {
	sc, ok := ln.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("the listener on %v cannot be handed over", ln.Addr())
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	var copied int
	var failure error
	if err := raw.Control(func(fd uintptr) { copied, failure = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if failure != nil {
		return nil, os.NewSyscallError("fcntl", failure)
	}
	return os.NewFile(uintptr(copied), ln.Addr().String()), nil
}

// without is an environment without a variable, and without those by which a
// service manager passes sockets: they are this process's.
func without(env []string, name string) (left []string) {
	for _, entry := range env {
		key, _, _ := strings.Cut(entry, "=")
		switch key {
		case name, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES":
		default:
			left = append(left, entry)
		}
	}
	return left
}
