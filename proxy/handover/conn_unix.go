//go:build unix

package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// variable, in the environment, says that descriptor 3 is a conversation.
const variable = "TLSLIFT_HANDOVER"

const (
	conversation = 3 // descriptor in the new process
	firstSocket  = conversation + 1
)

const (
	// stall is how long to wait for a message that the other side can send at once.
	stall = 10 * time.Second
	// unread is how long the other side may leave messages unread. If it cannot run
	// for that long, the machine has worse problems.
	unread = time.Minute
)

// talk is one end of the conversation. One goroutine at a time may receive; any may
// send.
type talk struct {
	*net.UnixConn
	in *json.Decoder

	mu  sync.Mutex // held while a message is sent
	out *json.Encoder
}

func newTalk(f *os.File) (*talk, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("descriptor %d is not a Unix socket", conversation)
	}
	return &talk{UnixConn: u, in: json.NewDecoder(u), out: json.NewEncoder(u)}, nil
}

// pair returns the two ends of a conversation. Both are close-on-exec.
func pair() (near *talk, far *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	far = os.NewFile(uintptr(fds[1]), "handover")
	if near, err = newTalk(os.NewFile(uintptr(fds[0]), "handover")); err != nil {
		far.Close()
	}
	return near, far, err
}

func (t *talk) send(m message) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.SetWriteDeadline(time.Now().Add(unread))
	return t.out.Encode(m)
}

// receive waits until the deadline for a message of kind word.
func (t *talk) receive(word string, deadline time.Time) error {
	_ = t.SetReadDeadline(deadline)
	var m message
	err := t.in.Decode(&m)
	if err == nil && m.Kind != word {
		err = fmt.Errorf("it said %q, not %q", m.Kind, word)
	}
	return err
}

// closedError returns what as an error if err is the end of the conversation, else
// err.
func closedError(err error, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return errors.New(what)
	}
	return err
}
