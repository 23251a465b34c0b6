//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// handshakers is how many old callers connect at once.
const handshakers = 4

// measureHandshakes has TLS 1.0 callers connect, shake hands and leave.
func measureHandshakes(ctx context.Context, b *bench) (table, error) {
	all, err := b.startAll(b.startTlslift, b.startHAProxy)
	if err != nil {
		return table{}, err
	}
	defer b.retire(all...)
	kinds := []struct {
		title  string
		resume bool
		suites []uint16
	}{
		{"new, RSA key exchange", false, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}},
		{"new, ECDHE with RSA", false, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}},
		{"new, ECDHE with ECDSA or RSA", false, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}},
		{"resumed", true, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}},
	}
	t := table{
		title:  fmt.Sprintf("TLS 1.0 handshakes, AES128-SHA, %d callers at once", handshakers),
		header: []string{"", "", "CPU per handshake", "to HAProxy", "handshakes/s", "to HAProxy"},
	}
	for _, kind := range kinds {
		cost, speed := newSeries(all), newSeries(all)
		for round := -1; round < b.rounds; round++ {
			for i, c := range all {
				if err := ctx.Err(); err != nil {
					return table{}, err
				}
				l, err := b.shakeHands(c, kind.suites, kind.resume)
				if err != nil {
					return table{}, fmt.Errorf("%s, %s: %w", c.title, kind.title, err)
				}
				if round >= 0 {
					cost.add(i, l.microseconds())
					speed.add(i, l.perSecond())
				}
			}
		}
		for i, c := range all {
			t.add(c.title, kind.title, micros(cost.median(i)), ratio(cost.paired(i, 1)), count(speed.median(i)), ratio(speed.paired(i, 1)))
		}
	}
	return t, nil
}

// shakeHands is one turn: a third of the usual length, for it has many kinds.
func (b *bench) shakeHands(c *contestant, suites []uint16, resume bool) (loaded, error) {
	before, err := c.cpu()
	if err != nil {
		return loaded{}, err
	}
	started := time.Now()
	end := started.Add(b.turn / 3)
	type result struct {
		n   int
		err error
	}
	results := make(chan result, handshakers)
	for range handshakers {
		go func() {
			n, err := handshakesUntil(end, c.old, suites, resume)
			results <- result{n, err}
		}()
	}
	total := 0
	var failed error
	for range handshakers {
		r := <-results
		total += r.n
		failed = errors.Join(failed, r.err)
	}
	seconds := time.Since(started).Seconds()
	after, err := c.cpu()
	return loaded{total, seconds, after - before}, errors.Join(failed, err)
}

// handshakesUntil is one caller. Whether it resumes is checked each time.
func handshakesUntil(end time.Time, address string, suites []uint16, resume bool) (int, error) {
	config := &tls.Config{
		ServerName:         host,
		InsecureSkipVerify: true, // what verifying costs the caller is not measured here
		MinVersion:         tls.VersionTLS10,
		MaxVersion:         tls.VersionTLS10,
		CipherSuites:       suites,
	}
	if resume {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	}
	n := 0
	for ; time.Now().Before(end); n++ {
		raw, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			return n, err
		}
		conn := tls.Client(raw, config)
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		err = conn.Handshake()
		state := conn.ConnectionState()
		conn.Close()
		if err != nil {
			return n, err
		}
		if state.Version != tls.VersionTLS10 || state.DidResume != (resume && n > 0) {
			return n, fmt.Errorf("handshake %d: version %#x, resumed %v", n, state.Version, state.DidResume)
		}
	}
	return n, nil
}

// oldRequest is one request of a TLS 1.0 caller on a connection of its own.
func oldRequest(address string) error {
	raw, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return err
	}
	conn := tls.Client(raw, &tls.Config{
		ServerName: host, InsecureSkipVerify: true,
		MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
	})
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write(request(host, "keep-alive")); err != nil {
		return err
	}
	return readAnswer(conn)
}
