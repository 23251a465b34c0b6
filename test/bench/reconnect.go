//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// roundTrip is what one exchange with the far upstream must take at least.
const roundTrip = 2 * distance

// together is how many callers of the busy variant call at once.
const together = 8

// way is one way to the far upstream.
type way struct {
	title string
	call  func() error // one request on a new connection
}

// measureReconnect measures callers that open a new connection for each
// request, as old ones do, with the upstream a real distance away.
func measureReconnect(ctx context.Context, b *bench) (table, error) {
	all, err := b.startAll(b.startTlslift, b.startHAProxy, b.startNginx)
	if err != nil {
		return table{}, err
	}
	defer b.retire(all...)
	var ways []way
	for _, c := range all {
		ways = append(ways, way{c.title, func() error { return callPlain(c.far, far) }})
	}
	ways = append(ways, way{"direct HTTPS", b.callTLS})

	pause, pauses := 8*time.Second, 3
	if b.long {
		pause, pauses = time.Minute, 2
	}
	single, busy, idle := make(series, len(ways)), make(series, len(ways)), make(series, len(ways))
	if err := errors.Join(
		b.takeTurns(ctx, ways, single, busy),
		b.afterPauses(ctx, ways, idle, pause, pauses),
	); err != nil {
		return table{}, err
	}
	t := table{
		title: fmt.Sprintf("A new connection for every request, the upstream %v away: median time in round trips of %v", distance, roundTrip),
		header: []string{
			"", "one after another", fmt.Sprintf("%d at once", together),
			fmt.Sprintf("first after %v idle", pause),
		},
	}
	for i, w := range ways {
		t.add(w.title, ratio(single.median(i)), ratio(busy.median(i)), ratio(idle.median(i)))
	}
	return t, nil
}

// takeTurns fills both series, ten calls of each kind per round.
func (b *bench) takeTurns(ctx context.Context, ways []way, single, busy series) error {
	for range b.rounds {
		for i, w := range ways {
			if err := ctx.Err(); err != nil {
				return err
			}
			for range 10 {
				if err := timed(w, i, single, nil); err != nil {
					return err
				}
			}
			if err := atOnce(w, i, busy, together); err != nil {
				return err
			}
		}
	}
	return nil
}

// afterPauses lets everything rest, then measures the first request.
func (b *bench) afterPauses(ctx context.Context, ways []way, idle series, pause time.Duration, pauses int) error {
	for range pauses {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		for i, w := range ways {
			if err := timed(w, i, idle, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// timed adds one call's time, in round trips.
func timed(w way, i int, s series, mu *sync.Mutex) error {
	started := time.Now()
	if err := w.call(); err != nil {
		return fmt.Errorf("%s: %w", w.title, err)
	}
	took := float64(time.Since(started)) / float64(roundTrip)
	if mu != nil {
		mu.Lock()
		defer mu.Unlock()
	}
	s.add(i, took)
	return nil
}

// atOnce has n callers make two calls each.
func atOnce(w way, i int, s series, n int) error {
	var mu sync.Mutex
	results := make(chan error, n)
	for range n {
		go func() { results <- errors.Join(timed(w, i, s, &mu), timed(w, i, s, &mu)) }()
	}
	var err error
	for range n {
		err = errors.Join(err, <-results)
	}
	return err
}

// callPlain is one request through a contestant, from the connection's start to
// its end.
func callPlain(address, name string) error {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return err
	}
	return exchange(conn, name)
}

// callTLS is the same by a caller that needs no proxy.
func (b *bench) callTLS() error {
	conn, err := net.DialTimeout("tcp", b.relay.Addr(), 5*time.Second)
	if err != nil {
		return err
	}
	return exchange(tls.Client(conn, &tls.Config{ServerName: far, RootCAs: b.roots, MinVersion: tls.VersionTLS12}), far)
}

// exchange sends one request for a host and reads its answer.
func exchange(conn net.Conn, host string) error {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write(request(host, "close")); err != nil {
		return err
	}
	return readAnswer(conn)
}

// readAnswer reads until one answer is complete.
func readAnswer(conn io.Reader) error {
	in := make([]byte, 0, 4<<10)
	for {
		n, err := conn.Read(in[len(in):cap(in)])
		in = in[:len(in)+n]
		done, bad := complete(in)
		if done || bad != nil {
			return bad
		}
		if err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
	}
}
