//go:build linux

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

//go:embed wrk.lua
var wrkScript []byte

// target is the path of all requests, a cheap read of the REST API.
const target = "/v1/Balance"

// headers are what a typical caller sends besides Host.
var headers = []string{
	"User-Agent: billing/1.0 (JRE 1.6.0_45)",
	"Accept: application/json",
	"Authorization: Bearer 0123456789abcdef0123456789abcdef0123456789abcdef",
}

// loaded is what one turn under load gave.
type loaded struct {
	requests int
	seconds  float64
	cpu      time.Duration // of the contestant
}

func (l loaded) perSecond() float64 { return float64(l.requests) / l.seconds }
func (l loaded) microseconds() float64 {
	return float64(l.cpu) / float64(time.Microsecond) / float64(l.requests)
}

// measureKeepAlive has wrk drive each contestant as fast as it can over
// keep-alive connections.
func measureKeepAlive(ctx context.Context, b *bench) (table, error) {
	all, err := b.startLoaded()
	if err != nil {
		return table{}, err
	}
	defer b.retire(all...)
	cost, speed := newSeries(all), newSeries(all)
	for round := -1; round < b.rounds; round++ { // round -1 warms up
		for i, c := range all {
			l, err := b.saturate(ctx, c, b.callers, target)
			if err != nil {
				return table{}, fmt.Errorf("%s: %w", c.title, err)
			}
			if round >= 0 {
				cost.add(i, l.microseconds())
				speed.add(i, l.perSecond())
			}
		}
	}
	t := table{
		title:  fmt.Sprintf("Keep-alive connections, as fast as they go (wrk, %d connections, %d rounds of %v)", b.callers, b.rounds, b.turn),
		header: []string{"", "CPU per request", "to HAProxy", "requests/s", "to HAProxy"},
	}
	for i, c := range all {
		t.add(c.title, micros(cost.median(i)), ratio(cost.paired(i, 1)), count(speed.median(i)), ratio(speed.paired(i, 1)))
	}
	return t, nil
}

// saturate is one turn of wrk, which asks for path over a number of connections.
func (b *bench) saturate(ctx context.Context, c *contestant, connections int, path string, more ...string) (loaded, error) {
	script := filepath.Join(b.dir, "wrk.lua")
	if err := os.WriteFile(script, wrkScript, 0o644); err != nil {
		return loaded{}, err
	}
	arguments := []string{"-t1", "-c" + strconv.Itoa(connections), "-d" + b.turn.String(), "--timeout", "10s", "-s", script, "-H", "Host: " + host}
	for _, h := range append(more, headers...) {
		arguments = append(arguments, "-H", h)
	}
	before, err := c.cpu()
	if err != nil {
		return loaded{}, err
	}
	out, err := exec.CommandContext(ctx, "wrk", append(arguments, "http://"+c.near+path)...).Output()
	if err != nil {
		return loaded{}, fmt.Errorf("wrk: %w", err)
	}
	after, err := c.cpu()
	if err != nil {
		return loaded{}, err
	}
	var said struct{ Requests, Microseconds, Failures int }
	// wrk prints for people first; the last line is the script's.
	if err := json.Unmarshal(lastLine(out), &said); err != nil {
		return loaded{}, fmt.Errorf("reading wrk's summary: %w", err)
	}
	if said.Failures > 0 || said.Requests == 0 {
		return loaded{}, fmt.Errorf("%d of %d requests failed\n%s", said.Failures, said.Requests, c.tail())
	}
	return loaded{said.Requests, float64(said.Microseconds) / 1e6, after - before}, nil
}

// measureSchedule sends at a fixed rate that all can serve, and
// counts each request's time from when it was due: a stall is not hidden by
// callers that wait for it.
func measureSchedule(ctx context.Context, b *bench) (table, error) {
	all, err := b.startLoaded()
	if err != nil {
		return table{}, err
	}
	defer b.retire(all...)
	cost, half, usual, tail := newSeries(all), newSeries(all), newSeries(all), newSeries(all)
	for round := -1; round < b.rounds; round++ {
		for i, c := range all {
			if err := ctx.Err(); err != nil {
				return table{}, err
			}
			l, answers, err := b.scheduled(c, uint64(round+1))
			if err != nil {
				return table{}, fmt.Errorf("%s: %w", c.title, err)
			}
			if round >= 0 {
				cost.add(i, l.microseconds())
				half.add(i, percentile(answers, 50))
				usual.add(i, typical(answers, 99))
				tail.add(i, percentile(answers, 99))
			}
		}
	}
	t := table{
		title: fmt.Sprintf("The same at a fixed rate: %d requests/s, arriving at random (Poisson), %d connections, %d rounds of %v; Squid at half the rate",
			b.rate, b.callers, b.rounds, b.turn),
		header: []string{
			"", "CPU per request", "to HAProxy", "p50", "to HAProxy",
			fmt.Sprintf("p99 of a typical %v", window), "to HAProxy", "p99 of all", "to HAProxy",
		},
	}
	for i, c := range all {
		t.add(c.title, micros(cost.median(i)), ratio(cost.paired(i, 1)),
			micros(half.median(i)), ratio(half.paired(i, 1)),
			micros(usual.median(i)), ratio(usual.paired(i, 1)), micros(tail.median(i)), ratio(tail.paired(i, 1)))
	}
	return t, nil
}

// scheduled is one turn of the fixed schedule. All contestants get the same
// arrivals in a round.
func (b *bench) scheduled(c *contestant, seed uint64) (loaded, []served, error) {
	rate := b.rate
	if c.title == "Squid" {
		rate /= 2
	}
	before, err := c.cpu()
	if err != nil {
		return loaded{}, nil, err
	}
	answers, err := runSchedule(schedule{
		address: c.near, request: request(host, "keep-alive"), connections: b.callers,
		due: arrivals(rate, b.turn, seed), patience: 10 * time.Second,
	})
	if err != nil {
		return loaded{}, nil, err
	}
	after, err := c.cpu()
	if err != nil {
		return loaded{}, nil, err
	}
	if len(answers) == 0 {
		return loaded{}, nil, errors.New("nothing was answered")
	}
	return loaded{len(answers), b.turn.Seconds(), after - before}, answers, nil
}

// request is the bytes of one request.
func request(host, connection string) []byte {
	text := "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n"
	for _, h := range headers {
		text += h + "\r\n"
	}
	return []byte(text + "Connection: " + connection + "\r\n\r\n")
}
