package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"

	"go.uber.org/zap"

	"tlslift/proxy/front"
	"tlslift/proxy/host"
)

// listener is one open listener.
type listener struct {
	net.Listener
	conf   atomic.Pointer[Listener] // current; its address never changes
	ctx    context.Context          // cancelled when accepting stops
	remove context.CancelFunc
}

// ListenError reports which listener of the settings could not be opened.
type ListenError struct {
	Index   int // in Settings.Listeners
	Address string
	Err     error
}

func (e *ListenError) Error() string { return "listen on " + e.Address + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ListenError) Unwrap() error { return e.Err }

// Listen opens every listener, or none.
func (s *Server) Listen() error {
	change, err := s.prepare(s.settings.Load().Listeners)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reconcile(change)
	return nil
}

// listenerChange turns the open listeners into those of new settings.
type listenerChange struct {
	open    []*listener // in the settings' order: kept and added
	confs   []Listener  // one for each of open
	added   []*listener
	removed []*listener
}

// undo closes the listeners that prepare opened.
func (c *listenerChange) undo() {
	for _, l := range c.added {
		l.remove()
		l.Close()
	}
}

// prepare opens the listeners that are not open yet. A listener that is open at the
// same address is kept; several with port 0 are each kept once. On error, a
// *ListenError, nothing has changed. The caller must not hold s.mu: prepare may look
// up a host name, and calls, the status page and a drain wait for that lock.
func (s *Server) prepare(wanted []Listener) (*listenerChange, error) {
	s.mu.Lock()
	c := &listenerChange{removed: slices.Clone(s.listeners)}
	s.mu.Unlock()
	for i, conf := range wanted {
		kept := slices.IndexFunc(c.removed, func(l *listener) bool { return l.conf.Load().Address == conf.Address })
		if kept >= 0 {
			c.open, c.confs = append(c.open, c.removed[kept]), append(c.confs, conf)
			c.removed = slices.Delete(c.removed, kept, kept+1)
			continue
		}
		ln, err := s.open(conf.Address)
		if err != nil && noIPv6(conf.Address, err) && len(wanted) > 1 {
			s.log.Warn("no IPv6 here: continuing without this listener", zap.String("address", conf.Address))
			continue
		}
		if err != nil {
			c.undo()
			return nil, &ListenError{i, conf.Address, err}
		}
		l := &listener{Listener: ln}
		l.conf.Store(&conf)
		l.ctx, l.remove = context.WithCancel(s.accepting)
		c.open, c.confs, c.added = append(c.open, l), append(c.confs, conf), append(c.added, l)
	}
	return c, nil
}

// open opens one listener, or takes one that was inherited.
func (s *Server) open(address string) (net.Listener, error) {
	if ln := s.inherited.Take(address); ln != nil {
		return ln, nil
	}
	lc := net.ListenConfig{KeepAlive: -1} // deadlines detect callers that are gone
	return front.Listen(s.accepting, lc, address)
}

// reconcile puts the listeners into service; it cannot fail. Removed listeners stop
// accepting, and the connections that they accepted end after their next answer. The
// caller holds s.mu.
func (s *Server) reconcile(c *listenerChange) {
	for i, l := range c.open {
		l.conf.Store(&c.confs[i])
	}
	s.listeners = c.open
	for _, l := range c.removed {
		s.log.Info("no longer listening", zap.Stringer("address", l.Addr()), zap.String("configured", l.conf.Load().Address))
		l.remove()
		l.Close() // now, without waiting for the accept loop: the reload reports it closed
	}
	for _, l := range c.added {
		s.log.Info("listening", zap.Stringer("address", l.Addr()), zap.String("configured", l.conf.Load().Address))
		if s.started {
			s.accept(l)
		}
	}
}

// Serve accepts connections until Shutdown. It returns nil after Shutdown, or the
// error of a listener that failed.
func (s *Server) Serve() error {
	s.mu.Lock()
	s.started = true
	for _, l := range s.listeners {
		s.accept(l)
	}
	s.mu.Unlock()
	select {
	case err := <-s.failed:
		return fmt.Errorf("serve: %w", err)
	case <-s.accepting.Done():
		return nil
	}
}

// accept serves one listener in the background. The caller holds s.mu.
func (s *Server) accept(l *listener) {
	if s.accepting.Err() != nil {
		l.Close()
		return
	}
	s.loops.Add(1)
	s.serving.Go(func() {
		defer l.remove()
		err := front.Serve(l.ctx, l, front.Options{
			Shared: s.shared,
			Rules: func() front.Rules {
				conf := l.conf.Load()
				return front.Rules{Listener: &conf.Listener, Allow: conf.Allow, ProxyProtocolFrom: conf.ProxyProtocolFrom}
			},
			Handler:     s,
			Logger:      s.log,
			OwnSocket:   s.transport.OwnSocket,
			OriginalDst: s.originalDst,
			Dropped:     s.dropped,
			Ended:       s.loops.Done,
		})
		if err == nil {
			return
		}
		select {
		case s.failed <- err:
		default: // one is enough
		}
	})
}

// endAccepting stops accepting. When it returns, every accepted connection counts as
// open, so waiting for the open ones misses none.
func (s *Server) endAccepting() {
	s.mu.Lock()
	s.stopAccepting()
	s.mu.Unlock()
	s.loops.Wait()
}

// noIPv6 reports whether a listener failed because this host, or this pod, has
// no IPv6 loopback address.
func noIPv6(address string, err error) bool {
	host, _, splitErr := net.SplitHostPort(address)
	addr, parseErr := netip.ParseAddr(host)
	return splitErr == nil && parseErr == nil && addr.Is6() && addr.IsLoopback() &&
		(errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT))
}

// EachListener calls f with each open listener and its address as configured.
func (s *Server) EachListener(f func(address string, ln net.Listener)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		f(l.conf.Load().Address, l.Listener)
	}
}

// Bound is an open listener: its configuration and the address it is bound to.
type Bound struct {
	Listener
	Addr netip.AddrPort
}

// Bound returns the open listeners, in the configuration's order.
func (s *Server) Bound() []Bound {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Bound, 0, len(s.listeners))
	for _, l := range s.listeners {
		out = append(out, Bound{Listener: *l.conf.Load(), Addr: host.OfSocket(l.Addr())})
	}
	return out
}
