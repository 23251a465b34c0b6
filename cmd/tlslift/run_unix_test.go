//go:build unix

package main

import (
	"errors"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// TestNoNumberOfSignalsHidesTheEnd: SIGHUP and SIGUSR2 that nobody takes leave room
// for SIGTERM and a second one.
//
//nolint:paralleltest // signals are the whole process's
func TestNoNumberOfSignalsHidesTheEnd(t *testing.T) {
	on := notifySignals()
	defer signal.Reset()
	send := func(s syscall.Signal) {
		if err := syscall.Kill(syscall.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		send(syscall.SIGHUP)
		send(syscall.SIGUSR2)
	}
	for range 2 {
		send(syscall.SIGTERM)
		if s := within(t, "SIGTERM", on.end); s != syscall.SIGTERM {
			t.Errorf("%v", s)
		}
	}
	within(t, "SIGHUP", on.reload)
	within(t, "SIGUSR2", on.upgrade)
}

// A service manager that does not read its socket keeps nothing waiting.
func TestNobodyReadsTheNotifySocket(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for n := 0; err == nil; n++ {
		if n > 10_000 {
			t.Fatal("the socket takes everything")
		}
		err = notifySocket(name, "READY=1")
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}
