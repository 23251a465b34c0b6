//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// schedule is requests that are due at fixed times, over a number of keep-alive
// connections. A request that finds no free connection waits for one, and its
// waiting counts.
type schedule struct {
	address     string
	request     []byte
	connections int
	due         []time.Duration // after the start, ascending
	patience    time.Duration   // after the last one was due
}

// arrivals are the times of a Poisson process, the same for the same seed.
func arrivals(rate int, length time.Duration, seed uint64) []time.Duration {
	random := rand.New(rand.NewPCG(seed, 1))
	mean := float64(time.Second) / float64(rate)
	var due []time.Duration
	for at := time.Duration(0); ; {
		at += time.Duration(random.ExpFloat64() * mean)
		if at >= length {
			return due
		}
		due = append(due, at)
	}
}

// caller is one connection of the schedule.
type caller struct {
	fd   int
	busy bool
	due  time.Duration // of the request under way
	in   []byte
}

// player runs a schedule in one thread over epoll: goroutines and Go's timers
// would add their own tenths of a millisecond to what is measured.
type player struct {
	schedule
	epoll, timer int
	callers      []*caller
	free         []*caller
	next         int // the first request not yet sent
	started      time.Time
	served       []served
}

// served is one answered request.
type served struct {
	due  time.Duration // after the start
	took time.Duration // from then until the answer was complete
}

// runSchedule plays a schedule and returns its requests in the order of their
// answers.
func runSchedule(s schedule) ([]served, error) {
	p := &player{schedule: s, served: make([]served, 0, len(s.due))}
	defer p.close()
	if err := p.open(); err != nil {
		return nil, fmt.Errorf("schedule: %w", err)
	}
	if err := p.play(); err != nil {
		return nil, fmt.Errorf("schedule: %w", err)
	}
	return p.served, nil
}

func (p *player) open() error {
	var err error
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return err
	}
	if err := p.watch(p.timer, -1); err != nil {
		return err
	}
	where, err := netip.ParseAddrPort(p.address)
	if err != nil {
		return err
	}
	for i := range p.connections {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		c := &caller{fd: fd, in: make([]byte, 0, 4<<10)}
		p.callers = append(p.callers, c)
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(where.Port()), Addr: where.Addr().As4()}); err != nil {
			return err
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if err := errors.Join(unix.SetNonblock(fd, true), p.watch(fd, i)); err != nil {
			return err
		}
		p.free = append(p.free, c)
	}
	return nil
}

// watch adds a descriptor under the number its events will carry.
func (p *player) watch(fd, number int) error {
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(number)})
}

func (p *player) close() {
	for _, c := range p.callers {
		_ = unix.Close(c.fd)
	}
	_ = unix.Close(p.timer)
	_ = unix.Close(p.epoll)
}

func (p *player) play() error {
	p.started = time.Now()
	end := p.due[len(p.due)-1] + p.patience
	events := make([]unix.EpollEvent, 64)
	if err := p.send(); err != nil {
		return err
	}
	for len(p.served) < len(p.due) {
		n, err := unix.EpollWait(p.epoll, events, 1000)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			if e.Fd < 0 {
				var expirations [8]byte
				_, _ = unix.Read(p.timer, expirations[:])
				continue
			}
			if err := p.receive(p.callers[e.Fd]); err != nil {
				return err
			}
		}
		if err := p.send(); err != nil {
			return err
		}
		if time.Since(p.started) > end {
			return fmt.Errorf("%d of %d answers came", len(p.served), len(p.due))
		}
	}
	return nil
}

// send writes what is due while there are free connections, and sets the alarm
// for what is due next.
func (p *player) send() error {
	for p.next < len(p.due) && len(p.free) > 0 {
		wait := p.due[p.next] - time.Since(p.started)
		if wait > 0 {
			return unix.TimerfdSettime(p.timer, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(wait))}, nil)
		}
		// The oldest free connection, so that all are used.
		c := p.free[0]
		p.free = p.free[1:]
		c.busy, c.due = true, p.due[p.next]
		p.next++
		if n, err := unix.Write(c.fd, p.request); err != nil || n != len(p.request) {
			return fmt.Errorf("writing a request: %d bytes, %w", n, errors.Join(err))
		}
	}
	return nil
}

// receive reads what there is of an answer.
func (p *player) receive(c *caller) error {
	space := c.in[len(c.in):cap(c.in)]
	n, err := unix.Read(c.fd, space)
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	if err != nil || n == 0 || !c.busy {
		return fmt.Errorf("a connection ended: %w", errors.Join(err, net.ErrClosed))
	}
	c.in = c.in[:len(c.in)+n]
	done, err := complete(c.in)
	if err != nil || !done {
		return err
	}
	p.served = append(p.served, served{c.due, time.Since(p.started) - c.due})
	c.busy, c.in = false, c.in[:0]
	p.free = append(p.free, c)
	return nil
}

// complete reports whether a whole answer was read, which must be a 200 with
// the upstream's body.
func complete(in []byte) (bool, error) {
	head, body, found := bytes.Cut(in, []byte("\r\n\r\n"))
	if !found {
		if len(in) == cap(in) {
			return false, errors.New("the answer's head is too long")
		}
		return false, nil
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200")) || !hasLength(head) {
		return false, fmt.Errorf("unexpected answer: %.300q", head)
	}
	if len(body) > len(answerBody) {
		return false, fmt.Errorf("unexpected body: %.300q", body)
	}
	return len(body) == len(answerBody), nil
}

// hasLength reports whether the head announces the upstream's body.
func hasLength(head []byte) bool {
	for line := range bytes.Lines(head) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			return string(bytes.TrimSpace(value)) == strconv.Itoa(len(answerBody))
		}
	}
	return false
}
