package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"

	"tlslift/configs"
	"tlslift/proxy"
	"tlslift/proxy/host"
)

// inheritManaged takes the sockets that a service manager opened for us (systemd
// socket activation).
func (a *app) inheritManaged() error {
	list, err := activation.Listeners()
	if err != nil {
		return fmt.Errorf("inherit the service manager's sockets: %w", err)
	}
	for _, l := range list {
		if l != nil {
			a.inherited.Add(l.Addr().String(), l)
			a.managed = append(a.managed, l.Addr().String())
		}
	}
	return nil
}

// allNamed rejects a socket of the service manager that the configuration does
// not name: the kernel would accept its callers, and none would get an answer.
func allNamed(managed []string, cfg *configs.Config) error {
	var listens []string
	for _, l := range cfg.Listen {
		listens = append(listens, l.Address)
	}
	strange := slices.DeleteFunc(slices.Sorted(slices.Values(managed)), func(address string) bool {
		return address == cfg.Admin.Address || address == cfg.Admin.Public || slices.Contains(listens, address)
	})
	if len(strange) == 0 {
		return nil
	}
	return fmt.Errorf("the service manager opened %s, which is not a listen or admin address, so its callers would never get an answer: "+
		"add it to listen in the same form, or remove it from the socket unit and restart (listen is %s)", strings.Join(strange, ", "), strings.Join(listens, ", "))
}

// reloadRefused turns the reason why a reload could not open a listener into a
// problem of the configuration.
func (a *app) reloadRefused(err error, cfg *configs.Config) error {
	failed, ok := errors.AsType[*proxy.ListenError](err)
	if !ok {
		return err
	}
	message, fix := a.takenByUs(failed)
	if message == "" {
		message = strings.TrimPrefix(explainListen(failed, "").Error(), "listen on "+failed.Address+": ")
	}
	return configs.Problems{cfg.Problem(fmt.Sprintf("listen[%d].address", failed.Index), "cannot listen on "+failed.Address+": "+message, fix)}
}

// takenByUs returns what to say about an address that one of our own listeners
// uses, or "" if none does.
func (a *app) takenByUs(err error) (message, fix string) {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || !errors.Is(err, syscall.EADDRINUSE) {
		return "", ""
	}
	wanted := host.OfSocket(op.Addr)
	has := func(bound netip.AddrPort) bool {
		return bound.Port() == wanted.Port() &&
			(bound.Addr() == wanted.Addr() || bound.Addr().IsUnspecified() || wanted.Addr().IsUnspecified())
	}
	for _, l := range a.adminListeners {
		if has(host.OfSocket(l.Addr())) {
			return "the admin side of this tlslift listens there, on " + l.address, "choose another port"
		}
	}
	for _, l := range a.server.Bound() {
		if has(l.Addr) {
			return "this tlslift listens there already, as " + l.Address, "remove " + l.Address + " in a separate reload first, or restart tlslift"
		}
	}
	return "", ""
}

// explainListen says what to do about a port that tlslift cannot listen on.
func explainListen(err error, flag string) error {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok {
		return err
	}
	// The address is in the error that wraps op; op's own text would repeat it.
	short := strings.TrimSuffix(err.Error(), op.Error()) + bare(op.Err)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		short += "; another tlslift, or another program, uses that port"
		if flag != "" {
			short += ": choose another with " + flag + " or in the configuration"
		}
	case errors.Is(err, syscall.EACCES):
		short += "; ports below 1024 need root, CAP_NET_BIND_SERVICE, or systemd to open them (tlslift.socket, docs/hosts.md)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		short += "; no interface of this host has that address"
	}
	return errors.New(short)
}

// bare returns a system call's error without the name of the call.
func bare(err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	return err.Error()
}
