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

// Next is the process that replaces this one.
type Next struct {
	talk  *talk
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended
	done  chan error    // returned by Done

	broken atomic.Bool // sending an outcome failed
}

// Program is the program to start.
type Program struct {
	Path string   // looked up in PATH if it has no slash
	Args []string // including the program's name, which is first
	Env  []string
}

// Start starts a process, sends it the state and waits until it is ready. The
// listeners are those of state.Sockets. On error, the process has ended.
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
	far.Close() // else the conversation would not end when the process does
	if err := n.begin(ctx, state); err != nil {
		return nil, n.giveUp(err)
	}
	return n, nil
}

// begin sends the state to the process and waits until it is ready.
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

// giveUp ends the process and returns why, with its exit status if it ended by
// itself.
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

// Go lets the process serve and waits until it does. On error, the process has
// ended.
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

// watch waits for the process to end.
func (n *Next) watch() {
	n.done <- closedError(n.talk.receive(wordEnding, time.Time{}), "it has ended unexpectedly")
}

// Done receives one value when the process stops serving: nil if it ends in an
// orderly way. It then still counts outcomes until Finish.
func (n *Next) Done() <-chan error { return n.done }

// Abandon ends the process before it serves.
func (n *Next) Abandon() { _ = n.giveUp(nil) }

// PID returns the ID of the process.
func (n *Next) PID() int { return n.cmd.Process.Pid }

// Outcome sends an encoded outcome to the process, which then counts it. If sending
// fails, Outcome returns that error once, and drops all further outcomes.
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

// Finish notifies the process that no more outcomes follow, and how many log lines
// this process lost without logging that. It ends the conversation.
func (n *Next) Finish(linesLost uint64) {
	_ = n.talk.send(message{Kind: wordDone, LinesLost: linesLost})
	n.talk.Close()
}

// file returns a duplicate of ln's descriptor that a process can inherit. It does
// not use net.TCPListener.File, because os/exec would make that file blocking. The
// listener is the same file to the kernel: it would block too, and closing it would
// wait for the next caller.
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

// without returns env without the named variable, and without those that describe a
// service manager's sockets, which are for this process only.
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
