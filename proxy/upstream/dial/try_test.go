//go:build unix

package dial

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// A read that does not wait takes what is there, sees the end and the close, and
// cares for no deadline. It is not parallel: it counts allocations.
func TestTryReader(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	if tryReader(struct{ net.Conn }{near}) != nil {
		t.Error("a layer was taken for a socket")
	}
	try := tryReader(near)
	p := make([]byte, 8)
	if n, err := try(nil); n != 0 || err != nil {
		t.Errorf("no room: %d, %v", n, err)
	}
	if n, err := try(p); n != 0 || !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("nothing there: %d, %v", n, err)
	}
	if _, err := far.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if n, err := near.Read(p[:1]); n != 1 || err != nil { // waits for them
		t.Errorf("the first byte: %d, %v", n, err)
	}
	_ = near.SetReadDeadline(time.Unix(1, 0))
	if n, err := try(p); n != 2 || err != nil {
		t.Errorf("the rest: %d, %v", n, err)
	}
	_ = near.SetReadDeadline(time.Time{})
	far.Close()
	if _, err := near.Read(p); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
	if n, err := try(p); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %d, %v", n, err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = try(p) }); n != 0 {
		t.Errorf("%.0f allocations", n)
	}
	near.Close()
	if _, err := try(p); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}
