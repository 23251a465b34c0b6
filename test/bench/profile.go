//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// profileLength is how long the profile runs, in seconds.
const profileLength = 20

// keepProfile loads tlslift and keeps a CPU profile of it.
func (b *bench) keepProfile(ctx context.Context) error {
	c, err := b.startTlslift()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	loads := map[string]func(context.Context, *contestant) error{
		"keepalive": b.loadKeepAlive, "schedule": b.loadSchedule, "mixed": b.loadMixed,
	}
	load, known := loads[b.load]
	if !known {
		return fmt.Errorf("unknown load %q", b.load)
	}
	ended := make(chan error, 1)
	go func() { ended <- load(ctx, c) }()
	err = fetchProfile(c.admin, b.profile)
	cancel()
	return errors.Join(err, <-ended)
}

func fetchProfile(admin, path string) error {
	client := http.Client{Timeout: (profileLength + 10) * time.Second}
	answer, err := client.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", admin, profileLength))
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s", answer.Status)
	}
	out, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	_, err = io.Copy(out, answer.Body)
	return errors.Join(err, out.Close())
}

// loadKeepAlive is the load of the first table, without end.
func (b *bench) loadKeepAlive(ctx context.Context, c *contestant) error {
	for ctx.Err() == nil {
		if _, err := b.saturate(ctx, c, b.callers, target); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// loadSchedule is the load of the second table, without end.
func (b *bench) loadSchedule(ctx context.Context, c *contestant) error {
	for seed := uint64(0); ctx.Err() == nil; seed++ {
		if _, _, err := b.scheduled(c, seed); err != nil {
			return err
		}
	}
	return nil
}

// loadMixed is what a house of old applications looks like: mostly requests
// over kept connections, some on new ones, some old handshakes, some tunnels.
func (b *bench) loadMixed(ctx context.Context, c *contestant) error {
	results := make(chan error)
	endless := func(once func() error) {
		go func() {
			for ctx.Err() == nil {
				if err := once(); err != nil {
					results <- err
					return
				}
			}
			results <- nil
		}()
	}
	kinds := []func() error{
		func() error { return b.loadKeepAlive(ctx, c) },
		func() error { return callPlain(c.near, host) },
		func() error { return oldRequest(c.old) },
		func() error {
			conn, err := b.openTunnel(c.near)
			if err == nil {
				conn.Close()
			}
			return err
		},
	}
	for _, once := range kinds {
		endless(once)
	}
	var err error
	for range kinds {
		err = errors.Join(err, <-results)
	}
	return err
}
