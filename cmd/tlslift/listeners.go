package main

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"

	"tlslift/configs"
)

// inheritedListeners are the sockets that a service manager opened for us
// (systemd socket activation), by address.
func inheritedListeners() (map[string]net.Listener, error) {
	list, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("take over sockets of the service manager: %w", err)
	}
	out := make(map[string]net.Listener)
	for _, l := range list {
		if l != nil {
			out[l.Addr().String()] = l
		}
	}
	return out, nil
}

// allNamed refuses a socket of the service manager's that the configuration
// does not name: callers would be let in by the kernel and never be answered.
func allNamed(inherited map[string]net.Listener, cfg *configs.Config) error {
	named := map[string]bool{cfg.Admin.Address: true, cfg.Admin.Public: true}
	var listens []string
	for _, l := range cfg.Listen {
		named[l.Address] = true
		listens = append(listens, l.Address)
	}
	var strange []string
	for _, address := range slices.Sorted(maps.Keys(inherited)) {
		if !named[address] {
			strange = append(strange, address)
		}
	}
	if len(strange) == 0 {
		return nil
	}
	return fmt.Errorf("the service manager opened %s, which is no listen or admin address, so that its callers would never be answered: "+
		"add it to listen, written alike, or take it out of the socket unit (listen is %s)", strings.Join(strange, ", "), strings.Join(listens, ", "))
}

// explainListen says of a port that cannot be listened on what can be done.
func explainListen(err error, flag string) error {
	var op *net.OpError
	if !errors.As(err, &op) {
		return err
	}
	// The address is in what wraps op; op's own text says it again.
	short := strings.TrimSuffix(err.Error(), op.Error()) + bare(op.Err)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		short += "; another tlslift, or somebody else, has that port: choose another with " + flag + " or in the configuration"
	case errors.Is(err, syscall.EACCES):
		short += "; ports below 1024 need root, CAP_NET_BIND_SERVICE, or systemd to open them (tlslift.socket, docs/hosts.md)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		short += "; no interface of this host has that address"
	}
	return errors.New(short)
}

// bare is a system call's failure without the call's name.
func bare(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return err.Error()
}
