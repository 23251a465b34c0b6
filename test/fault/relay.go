package fault

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Relay carries TCP connections to a target and delivers each byte, in both
// directions, Delay after it was sent: distance, for machines where the
// kernel's network emulation is not to be had. The three-way handshake of a
// connection costs one round trip too, as it would: bytes sent at once wait
// for it.
type Relay struct {
	delay    time.Duration
	target   string
	listener net.Listener
	running  sync.WaitGroup
	stop     chan struct{}

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	made  int
}

// NewRelay listens on a free loopback port and relays to target, a host:port.
func NewRelay(target string, delay time.Duration) (*Relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	r := &Relay{delay: delay, target: target, listener: listener, stop: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	r.running.Go(r.accept)
	return r, nil
}

// Addr is the host:port the relay listens on.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Connections is the number of connections relayed so far.
func (r *Relay) Connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.made
}

// Close ends the relay and all its connections.
func (r *Relay) Close() error {
	close(r.stop)
	err := r.listener.Close()
	r.mu.Lock()
	for c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (r *Relay) accept() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		r.running.Go(func() { r.carry(near) })
	}
}

// track notes a connection so that Close can end it; false when too late.
func (r *Relay) track(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.stop:
		return false
	default:
		r.conns[c] = struct{}{}
		return true
	}
}

func (r *Relay) carry(near net.Conn) {
	defer near.Close()
	if !r.track(near) {
		return
	}
	far, err := net.Dial("tcp", r.target)
	if err != nil {
		return
	}
	defer far.Close()
	if !r.track(far) {
		return
	}
	r.mu.Lock()
	r.made++
	r.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { r.pump(far, near, 2*r.delay) })
	both.Go(func() { r.pump(near, far, 0) })
	both.Wait()
	r.mu.Lock()
	delete(r.conns, near)
	delete(r.conns, far)
	r.mu.Unlock()
}

type parcel struct {
	due  time.Time
	data []byte // nil = the end of the stream
}

// pump reads as the bytes come and writes them when they are due. The first
// bytes of the caller's direction are also held back for the handshake that
// loopback did for nothing: connected is how long that would have taken.
func (r *Relay) pump(to, from net.Conn, connected time.Duration) {
	open := time.Now().Add(connected)
	queue := make(chan parcel, 1024) // times 32 KiB: what is in flight
	go func() {
		defer close(queue)
		for {
			buffer := make([]byte, 32<<10)
			n, err := from.Read(buffer)
			sent := time.Now()
			if sent.Before(open) {
				sent = open
			}
			if n > 0 {
				queue <- parcel{sent.Add(r.delay), buffer[:n]}
			}
			if err != nil {
				if errors.Is(err, io.EOF) {
					queue <- parcel{sent.Add(r.delay), nil}
				}
				return
			}
		}
	}()
	broken := false
	for p := range queue {
		if broken || !r.until(p.due) {
			broken = true // empty the queue so that its reader can end
			continue
		}
		if p.data == nil {
			if half, ok := to.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
			continue
		}
		if _, err := to.Write(p.data); err != nil {
			broken = true
			_ = from.Close()
		}
	}
}

func (r *Relay) until(due time.Time) bool {
	wait := time.Until(due)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.stop:
		return false
	}
}
