//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// traffic is a kind of load whose CPU time is compared.
type traffic struct {
	title string
	old   bool // TLS 1.0: nginx and Squid have no listener for that
	turn  func(ctx context.Context, b *bench, c *contestant) (loaded, error)
}

func kindsOfTraffic() []traffic {
	return []traffic{
		{"a connection for each request", false, func(ctx context.Context, b *bench, c *contestant) (loaded, error) {
			return b.saturate(ctx, c, together, target, "Connection: close")
		}},
		{"200 requests/s on one connection", false, func(_ context.Context, b *bench, c *contestant) (loaded, error) {
			return b.trickle(c, 200)
		}},
		{"answers of 1 MiB", false, func(ctx context.Context, b *bench, c *contestant) (loaded, error) {
			return b.saturate(ctx, c, together, largeTarget)
		}},
		{"TLS 1.0, kept connections", true, func(_ context.Context, b *bench, c *contestant) (loaded, error) {
			return b.keepOld(c)
		}},
	}
}

// measureTraffic compares the CPU time of other kinds of traffic.
func measureTraffic(ctx context.Context, b *bench) (table, error) {
	all, err := b.startLoaded()
	if err != nil {
		return table{}, err
	}
	defer b.retire(all...)
	t := table{
		title:  fmt.Sprintf("Other traffic (%d rounds of %v)", b.rounds, b.turn),
		header: []string{"", "", "CPU per request", "to HAProxy"},
	}
	for _, kind := range kindsOfTraffic() {
		some := all
		if kind.old {
			some = nil
			for _, c := range all {
				if c.old != "" {
					some = append(some, c)
				}
			}
		}
		cost := newSeries(some)
		for round := -1; round < b.rounds; round++ {
			for i, c := range some {
				l, err := kind.turn(ctx, b, c)
				if err = errors.Join(err, ctx.Err()); err != nil {
					return table{}, fmt.Errorf("%s, %s: %w", c.title, kind.title, err)
				}
				if round >= 0 {
					cost.add(i, l.microseconds())
				}
			}
		}
		for i, c := range some {
			t.add(kind.title, c.title, micros(cost.median(i)), ratio(cost.paired(i, 1)))
		}
	}
	return t, nil
}

// trickle is one turn of few requests over one connection, evenly spaced.
func (b *bench) trickle(c *contestant, rate int) (loaded, error) {
	var due []time.Duration
	for at := time.Duration(0); at < b.turn; at += time.Second / time.Duration(rate) {
		due = append(due, at)
	}
	before, err := c.cpu()
	if err != nil {
		return loaded{}, err
	}
	answers, err := runSchedule(schedule{address: c.near, request: request(host, "keep-alive"), connections: 1, due: due, patience: 10 * time.Second})
	if err != nil {
		return loaded{}, err
	}
	after, err := c.cpu()
	return loaded{len(answers), b.turn.Seconds(), after - before}, err
}

// keepOld is one turn of callers that each keep a TLS 1.0 connection.
func (b *bench) keepOld(c *contestant) (loaded, error) {
	var conns []*tls.Conn
	defer func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	ask := request(host, "keep-alive")
	for range handshakers {
		conn, err := tls.Dial("tcp", c.old, &tls.Config{
			ServerName: host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: oldSuites(),
		})
		if err != nil {
			return loaded{}, err
		}
		conns = append(conns, conn)
	}
	before, err := c.cpu()
	if err != nil {
		return loaded{}, err
	}
	type result struct {
		n   int
		err error
	}
	results := make(chan result, len(conns))
	started := time.Now()
	for _, conn := range conns {
		go func() {
			n := 0
			for time.Since(started) < b.turn {
				if _, err := conn.Write(ask); err != nil {
					results <- result{n, err}
					return
				}
				if err := readAnswer(conn); err != nil {
					results <- result{n, err}
					return
				}
				n++
			}
			results <- result{n, nil}
		}()
	}
	total, failed := 0, error(nil)
	for range conns {
		r := <-results
		total += r.n
		failed = errors.Join(failed, r.err)
	}
	after, err := c.cpu()
	return loaded{total, time.Since(started).Seconds(), after - before}, errors.Join(failed, err)
}

// oldSuites is what a TLS 1.0 client with elliptic curves offers.
func oldSuites() []uint16 {
	return []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA}
}
