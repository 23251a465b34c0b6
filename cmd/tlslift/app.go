package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"tlslift/configs"
	"tlslift/metrics"
	"tlslift/metrics/admin"
	"tlslift/metrics/ledger"
	"tlslift/proxy"
)

// app is one running tlslift: the proxy, its metrics and ledger, and the admin side.
type app struct {
	src     configs.Source
	cfg     atomic.Pointer[configs.Config]
	log     *logging
	metrics *metrics.Metrics
	ledger  *ledger.Ledger
	server  *proxy.Server
	admin   *admin.Admin
	watch   *watcher
	ended   chan error    // the proxy or the admin side ended unexpectedly
	quit    chan struct{} // POST /quit
	stopped chan struct{} // closed by close
	started time.Time

	adminListeners []adminListener // from start on

	inherited *proxy.Sockets
	managed   []string // addresses of the sockets that the service manager opened

	path     string        // used to start this program
	previous *previous     // the process that this one replaces; nil = none
	adopted  chan struct{} // closed when all outcomes of previous have been counted
	upgrade  *upgrade      // in progress; nil = none

	accountKey []byte // hashes accounts when no key file is named

	lastReload  atomic.Pointer[error] // why the last reload was refused; nil = it was not
	lastUpgrade atomic.Pointer[error] // why the last upgrade failed; nil = it did not
}

// newApp assembles the parts. before is the process that this one replaces, or
// nil if there is none. Nothing listens yet.
func newApp(in *loaded, before *previous, stderr io.Writer) (*app, error) {
	cfg := in.cfg
	a := &app{
		path: programPath(), previous: before, adopted: make(chan struct{}), inherited: new(proxy.Sockets),
		src: in.src, accountKey: in.accountKey, started: time.Now(), log: newLogging(cfg.Log, stderr), watch: newWatcher(in.files),
		ended: make(chan error, 2), quit: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	a.cfg.Store(cfg)
	reg := prometheus.NewRegistry()
	if err := metrics.RegisterRuntime(reg); err != nil {
		return nil, err
	}
	var err error
	a.metrics, err = metrics.New(reg, metrics.Options{
		Upstreams: upstreamLabels(cfg), Version: version, Revision: sourceRevision(),
		LogLinesLost: func() uint64 { return a.log.sink.Status().Lost },
		Held:         func() int64 { return a.server.Held() },
	})
	if err != nil {
		return nil, err
	}
	a.metrics.Reload(true, a.started)
	a.ledger = ledger.New(ledger.Options{Logger: a.log.Logger}) // start opens its file
	if err := reg.Register(a.ledger); err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	if err := a.inherit(); err != nil {
		return nil, err
	}
	if err := allNamed(a.managed, cfg); err != nil {
		return nil, err
	}
	var secrets []byte
	if before != nil {
		secrets = before.Server
	}
	a.server, err = proxy.New(proxy.Options{
		Settings:  in.settings,
		Logger:    a.log.Logger,
		Metrics:   a.metrics,
		Ledger:    a.ledger,
		Inherited: a.inherited,
		Secrets:   secrets,
		Own:       a.ownAdmin,
	})
	if err != nil {
		return nil, err
	}
	a.admin = a.newAdmin(in, reg)
	if err := a.mountPage(); err != nil {
		return nil, err
	}
	return a, nil
}

// start opens the listeners, the admin ones first, and reports ready. A process
// that replaces another waits until that one has written its ledger.
func (a *app) start() error {
	if err := a.listenAdmin(a.cfg.Load().Admin); err != nil {
		return explainListen(err, "--admin")
	}
	if err := a.server.Listen(); err != nil {
		return explainListen(err, "--listen")
	}
	a.inherited.Close() // sockets that the configuration no longer names
	ready := []zap.Field{zap.String("version", version), zap.String("config", describeSource(a.src)), zap.Strings("upstreams", upstreamLabels(a.cfg.Load()))}
	if a.previous != nil {
		if err := a.previous.Ready(); err != nil {
			return err
		}
		ready = append(ready, zap.Int("pid", os.Getpid()), zap.Int("previous", a.previous.PID))
	}
	a.ledger.Open(a.cfg.Load().State.File)
	a.applyConfig(a.cfg.Load())
	a.serveAdmin() // it is ready from its first answer on; until then the kernel queues callers
	go func() {
		if err := a.server.Serve(); err != nil {
			a.ended <- err
		}
	}()
	if a.previous != nil {
		go a.adopt()
	} else {
		close(a.adopted)
	}
	go a.watch.run(a.stopped)
	if a.previous == nil { // otherwise previous does, because systemd accepts this from no other process
		notify(daemon.SdNotifyReady)
	}
	a.warn(a.cfg.Load(), unused(a.src)...)
	a.log.Info("ready", ready...)
	debug.FreeOSMemory() // what startup needed
	go releaseMemory(a.server.Peak, a.stopped)
	return nil
}

// adopt counts the outcomes of what the previous process is still finishing.
func (a *app) adopt() {
	defer close(a.adopted)
	linesLost, err := a.previous.Serving(a.server.Count)
	a.log.sink.AddLost(linesLost)
	if err != nil {
		a.log.Error("some calls of the previous process may not be counted", zap.Error(err))
	}
}

// warn logs what makes tlslift refuse clients that could be served, declarations
// that have no effect yet, and the warnings in more.
func (a *app) warn(cfg *configs.Config, more ...string) {
	for _, w := range slices.Concat(notValid(cfg, a.server.CA(), time.Now()), nameless(cfg), tooFewDescriptors(cfg), early(cfg, time.Now()), more) {
		a.log.Warn("configuration", zap.String("problem", w))
	}
	for _, p := range outsideCA(cfg, a.server.CA()) {
		a.log.Warn("configuration", zap.String("problem", p.Error()))
	}
}

// notify sends a state to systemd, if it is there.
func notify(state string) {
	if socket := os.Getenv("NOTIFY_SOCKET"); socket != "" {
		_ = notifySocket(socket, state)
	}
}

// notifySocket sends a state as sd_notify(3) does. If nothing reads the socket,
// it gives up after a second, while daemon.SdNotify would wait forever.
func notifySocket(name, state string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, err = conn.Write([]byte(state))
	return err
}

// awaitAdopted waits for the last outcomes of the previous process.
func (a *app) awaitAdopted(ctx context.Context) {
	select {
	case <-a.adopted:
		return
	case <-ctx.Done():
	}
	select { // both may be ready
	case <-a.adopted:
	default:
		a.log.Error("the previous process has not ended: calls that it still finishes are not counted")
	}
}

// wait handles reloads and upgrades, and finally drains. A reload runs in its own
// goroutine: files and DNS may delay it, and shutdown does not wait for it. A
// reload and an upgrade never overlap. While one is in progress, requests for
// another stay in their channels.
func (a *app) wait(on signals) error {
	var reloading <-chan struct{} // closed when the reload in progress ends; nil = none
	reload := func(why string) {
		over := make(chan struct{})
		reloading = over
		go func() {
			defer close(over)
			a.reload(why)
		}()
	}
	for {
		reloads, changes, upgrades := on.reload, a.watch.changed, on.upgrade
		var started <-chan error
		if a.upgrade != nil {
			reloads, changes, started = nil, nil, a.upgrade.done
		}
		if reloading != nil {
			reloads, changes, upgrades = nil, nil, nil
		}
		select {
		case s := <-on.end:
			return a.drain(s.String(), true, on)
		case <-a.quit:
			return a.drain("POST /quit", false, on)
		case <-reloads:
			reload("signal")
		case <-changes:
			reload("file changed")
		case <-reloading:
			reloading = nil
		case <-upgrades:
			a.beginUpgrade()
		case err := <-started:
			over := false
			if err == nil {
				over, err = a.handOver(on)
			}
			if over {
				return err
			}
			a.upgradeFailed(err)
			a.upgrade = nil
		case err := <-a.ended:
			a.log.Error("stopped unexpectedly", zap.Error(err))
			return err
		}
	}
}

// reload reads the configuration again. On any error the old one stays in effect.
func (a *app) reload(why string) {
	a.admin.SetState(admin.Reloading)
	notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	err := a.reconfigure()
	if a.admin.State() == admin.Stopping { // shutdown did not wait for the reload
		return
	}
	a.metrics.Reload(err == nil, time.Now())
	if err != nil {
		a.lastReload.Store(&err)
		a.log.Error("reload refused, the old configuration stays", zap.String("why", why), zap.Strings("problems", strings.Split(err.Error(), "\n")))
	} else {
		a.lastReload.Store(nil)
		a.log.Info("reloaded", zap.String("why", why), zap.String("config", describeSource(a.src)))
	}
	a.admin.SetState(admin.Ready)
	notify(daemon.SdNotifyReady)
}

func (a *app) reconfigure() error {
	src := a.src
	src.Reload = true
	in, err := load(src, a.accountKey)
	a.watch.refresh(in.files)
	if err != nil {
		return err
	}
	cfg := in.cfg
	if diff := cfg.RestartDiff(a.cfg.Load()); len(diff) > 0 {
		return fmt.Errorf("%s changed: that needs a restart; nothing was changed", strings.Join(diff, ", "))
	}
	if err := allNamed(a.managed, cfg); err != nil {
		return err
	}
	if err := lesserCA(a.server.CA(), in, time.Now()); err != nil {
		return err
	}
	if err := a.server.Reload(in.settings); err != nil {
		return a.reloadRefused(err, cfg)
	}
	a.admin.SetToken(in.token)
	a.applyConfig(cfg)
	if old := a.cfg.Load(); old.Log.Console != cfg.Log.Console && cfg.Log.Console != a.log.console {
		a.log.Warn("log.format changed: it takes effect at the next start")
	}
	a.log.level.SetLevel(cfg.Log.Level)
	a.warn(cfg)
	a.cfg.Store(cfg)
	return nil
}

// drain shuts down as described in design.md section 6: not ready, still
// accepting for drain_delay, then finishing what is in flight. signalled reports
// whether a signal asked for it.
func (a *app) drain(why string, signalled bool, on signals) error {
	a.abandonUpgrade()
	limits := a.cfg.Load().Limits
	a.admin.SetState(admin.Stopping)
	notify(daemon.SdNotifyStopping)
	a.log.Info("draining", zap.String("why", why), zap.Duration("delay", limits.DrainDelay), zap.Duration("timeout", limits.DrainTimeout))
	a.end(on, signalled, limits.DrainDelay, limits.DrainTimeout)
	return nil
}

// end keeps accepting for the delay, and finishes what is in flight until the
// timeout. The second signal that asks to stop cuts both short. A service manager
// signals every process, even one that is already stopping for another reason.
func (a *app) end(on signals, signalled bool, delay, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	go func() {
		for {
			select {
			case s := <-on.end:
				if signalled {
					cancel()
					return
				}
				signalled = true
				a.log.Info("already draining: one more signal stops without waiting", zap.Stringer("signal", s))
			case <-ctx.Done():
				return
			}
		}
	}()
	if a.previous != nil {
		a.previous.Ending()
	}
	select {
	case <-time.After(delay):
	case <-ctx.Done():
	}
	cut := a.server.Shutdown(ctx)
	a.awaitAdopted(ctx)
	a.log.Info("stopped", zap.Int("cut", cut))
}

func (a *app) close() {
	close(a.stopped)
	a.closeAdmin()
	if err := a.ledger.Close(); err != nil {
		a.log.Error("the ledger was not written at the end: what changed since the last write is lost", zap.Error(err))
	}
	_, _ = a.log.sink.Close()
}

func (a *app) closeAdmin() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = a.admin.Shutdown(ctx)
}

// programPath returns the path that this program was started by. When looked up
// again, it names the program to upgrade to.
func programPath() string {
	path := os.Args[0]
	if !strings.ContainsRune(path, filepath.Separator) {
		return path
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
