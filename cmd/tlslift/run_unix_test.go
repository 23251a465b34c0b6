//go:build unix

package main

import (
	"os/signal"
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
