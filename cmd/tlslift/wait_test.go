package main

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"tlslift/configs"
)

// TestTheEndDoesNotWaitForAReload: while one waits for a name server, the status
// page and upgrades are answered as ever, any number of signals may come, and the
// one that asks for the end is heard.
//
//nolint:paralleltest // it replaces the resolver of package net
func TestTheEndDoesNotWaitForAReload(t *testing.T) {
	asked, release := make(chan struct{}, 100), make(chan struct{})
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		asked <- struct{}{}
		<-release
		return nil, context.DeadlineExceeded
	}}
	file := filepath.Join(t.TempDir(), "c.yaml")
	const config = "admin: {address: ''}\nlisten: ['127.0.0.1:0'"
	write(t, file, config+"]\n")
	in, err := load(configs.Source{File: file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := newApp(in, nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.start(); err != nil {
		t.Fatal(err)
	}
	on := signals{make(chan os.Signal, 2), make(chan os.Signal, 1), make(chan os.Signal, 1)}
	ended := make(chan error, 1)
	go func() { ended <- a.wait(on) }()

	write(t, file, config+", 'name.test:0']\n")
	on.reload <- syscall.SIGHUP
	within(t, "the reload asks for the name", asked)
	on.reload <- syscall.SIGHUP // waits for the first one
	shown := make(chan struct{})
	go func() {
		a.health()
		close(shown)
	}()
	within(t, "the status page is made", shown)
	on.end <- syscall.SIGTERM
	if err := within(t, "the end", ended); err != nil {
		t.Error(err)
	}
	a.close()
	close(release)
	net.DefaultResolver = before
}

// within receives what is to come, however long a busy machine takes.
func within[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("%s does not come", what)
	}
	panic("unreachable")
}
