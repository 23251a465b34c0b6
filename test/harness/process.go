package harness

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Patience bounds every wait of the tests. It is long because it only matters
// when something is broken; a healthy run never waits for it.
const Patience = 90 * time.Second

// LogsVariable names a directory for the whole logs of failed tests, of which
// the test itself shows only the end.
const LogsVariable = "TLSLIFT_TEST_LOGS"

// Options say how tlslift is started.
type Options struct {
	Upstream Upstream   // where all configured hosts lead; nil = the configuration says
	Config   string     // YAML laid over the base configuration
	Args     []string   // after --config FILE
	Env      []string   // NAME=value
	Program  string     // instead of the binary that is built
	Under    []string   // a command that runs it, such as ip netns exec NAME
	NoWait   bool       // do not wait for the listeners
	Files    []*os.File // descriptors that it inherits, from 3 on
	// Watch is told of each line of the log as it is written; fields is nil if
	// that is not JSON. A line it does not keep is not found later.
	Watch func(raw string, fields Line) (keep bool)
}

// Process is a running tlslift.
type Process struct {
	Config string // path of its configuration file
	Dir    string // where that file is

	t             testing.TB
	upstream      Upstream
	command       *exec.Cmd
	ended         chan struct{}                  // closed when the process ended
	exited        chan struct{}                  // closed when its log was read to the end, too
	reader        *os.File                       // of its log
	hold          *atomic.Pointer[chan struct{}] // its log is not read until it is closed; nil = it is read
	logs          *log
	listen, admin string        // as At says; "" = the log does
	stopped       *bool         // by the test; shared by all views of the process
	pid           *atomic.Int64 // of the process that serves; shared likewise
}

// Start runs tlslift and waits until all its listeners are open. The test's
// cleanup stops it, and fails the test if it did not end cleanly, panicked, or
// raced.
func Start(t testing.TB, options Options) *Process {
	t.Helper()
	dir := t.TempDir()
	p := &Process{t: t, Dir: dir, upstream: options.Upstream, logs: newLog(options.Watch), stopped: new(bool), pid: new(atomic.Int64)}
	p.ended, p.exited, p.hold = make(chan struct{}), make(chan struct{}), new(atomic.Pointer[chan struct{}])
	p.Config = writeConfig(t, dir, options.Upstream, options.Config)
	argv := append(append(append([]string{}, options.Under...), cmp.Or(options.Program, Binary(t)), "run", "--config", p.Config), options.Args...)
	p.command = exec.Command(argv[0], argv[1:]...)
	p.command.Env = append(CleanEnvironment(), options.Env...)
	p.command.Dir = dir
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.command.Stdout, p.command.Stderr, p.command.ExtraFiles = writer, writer, options.Files
	p.reader = reader
	if err := p.command.Start(); err != nil {
		t.Fatalf("starting tlslift: %v", err)
	}
	p.pid.Store(int64(p.command.Process.Pid))
	_ = writer.Close()
	go func() {
		defer close(p.ended)
		_ = p.command.Wait()
	}()
	go p.follow()
	t.Cleanup(p.cleanup)
	if !options.NoWait {
		p.waitListeners()
	}
	return p
}

// In is the same process for a subtest: what fails, fails that.
func (p *Process) In(t testing.TB) *Process {
	view := *p
	view.t = t
	return &view
}

// CleanEnvironment is this one without proxy settings and none of tlslift's own.
func CleanEnvironment() []string {
	var clean []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "TLSLIFT_") || strings.HasSuffix(strings.ToLower(name), "_proxy") {
			continue
		}
		clean = append(clean, entry)
	}
	return clean
}

// follow reads the log as it is written, then waits for the process.
func (p *Process) follow() {
	defer close(p.exited)
	defer p.reader.Close()
	lines := bufio.NewReaderSize(p.reader, 64<<10)
	for {
		if hold := p.hold.Load(); hold != nil {
			<-*hold
		}
		line, err := lines.ReadString('\n')
		if line != "" {
			p.logs.add(strings.TrimRight(line, "\n"))
		}
		if err != nil {
			break
		}
	}
	<-p.ended
	p.logs.end()
}

// HoldLog stops reading the log, after at most one more line.
func (p *Process) HoldLog() {
	hold := make(chan struct{})
	p.hold.Store(&hold)
	p.t.Cleanup(p.ReleaseLog)
}

// ReleaseLog reads the log again.
func (p *Process) ReleaseLog() {
	if hold := p.hold.Swap(nil); hold != nil {
		close(*hold)
	}
}

// CloseLog ends the reader of the log: nothing more is read of it.
func (p *Process) CloseLog() { _ = p.reader.Close() }

func (p *Process) waitListeners() {
	p.t.Helper()
	config := p.parsedConfig()
	listeners, _ := config["listen"].([]any)
	for i := range listeners {
		p.waitNth(Match{"msg": "listening"}, i+1)
	}
	admin, _ := config["admin"].(tree)
	if address, _ := admin["address"].(string); address != "" {
		p.waitNth(Match{"msg": "admin listening"}, 1)
	}
}

// Addr is the address of the first listener.
func (p *Process) Addr() string { p.t.Helper(); return p.ListenAddr(0) }

// At says where the process listens, if its log cannot.
func (p *Process) At(listen, admin string) *Process {
	p.listen, p.admin = listen, admin
	return p
}

// ListenAddr is the address of the n-th configured listener, from 0.
func (p *Process) ListenAddr(n int) string {
	p.t.Helper()
	if n == 0 && p.listen != "" {
		return p.listen
	}
	return p.waitNth(Match{"msg": "listening"}, n+1).String("address")
}

// AdminAddr is the address of the admin listener.
func (p *Process) AdminAddr() string {
	p.t.Helper()
	if p.admin != "" {
		return p.admin
	}
	return p.waitNth(Match{"msg": "admin listening"}, 1).String("address")
}

// PID is the number of the process that serves.
func (p *Process) PID() int { return int(p.pid.Load()) }

// Upgrade has the process replaced by a new one, which is what the Process is
// from then on: their log is one, and both must end. It returns the place in the
// log before the upgrade.
func (p *Process) Upgrade() Mark {
	p.t.Helper()
	mark := p.Mark()
	p.Signal(upgradeSignal)
	p.Upgraded(mark)
	p.WaitLogAfter(mark, Match{"level": "info", "next": int64(p.PID())})
	return mark
}

// Upgraded waits for the log to say, after the mark, that a new process is ready,
// which is what the Process is from then on.
func (p *Process) Upgraded(mark Mark) {
	p.t.Helper()
	pid, err := strconv.ParseInt(p.WaitLogAfter(mark, Match{"msg": "ready", "previous": int64(p.PID())}).String("pid"), 10, 64)
	if err != nil {
		p.t.Fatalf("the new process does not say which it is: %v", err)
	}
	p.pid.Store(pid)
}

// Reconfigure replaces the configuration file: what tlslift watches.
func (p *Process) Reconfigure(overlay string) {
	p.t.Helper()
	writeConfig(p.t, p.Dir, p.upstream, overlay)
}

// Signal sends a signal.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	process, err := os.FindProcess(p.PID())
	if err == nil {
		err = process.Signal(s)
	}
	if err != nil {
		p.t.Fatalf("sending %v: %v", s, err)
	}
}

// Stop sends SIGTERM and returns the exit status.
func (p *Process) Stop() int {
	p.t.Helper()
	*p.stopped = true
	p.Signal(syscall.SIGTERM)
	return p.Wait()
}

// Wait waits for the process to end by itself and returns its exit status.
func (p *Process) Wait() int {
	p.t.Helper()
	*p.stopped = true
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case <-p.exited:
		return p.command.ProcessState.ExitCode()
	case <-timer.C:
		_ = p.command.Process.Kill()
		if process, err := os.FindProcess(p.PID()); err == nil {
			_ = process.Kill()
		}
		<-p.exited
		p.t.Fatalf("tlslift did not end within %v\n%s", Patience, p.logs.tail())
		return -1
	}
}

// Ended is closed when the process has ended, whether or not its log was read.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Exited is closed when the process has ended and its log was read.
func (p *Process) Exited() <-chan struct{} { return p.exited }

func (p *Process) cleanup() {
	if !*p.stopped {
		select {
		case <-p.exited:
			p.t.Errorf("tlslift ended by itself with status %d", p.command.ProcessState.ExitCode())
		default:
			if code := p.Stop(); code != 0 {
				p.t.Errorf("tlslift ended with status %d", code)
			}
		}
	}
	output := p.Output()
	for _, trouble := range []string{"panic: ", "WARNING: DATA RACE", "fatal error: "} {
		if strings.Contains(output, trouble) {
			p.t.Errorf("tlslift's output has %q", trouble)
		}
	}
	if !p.t.Failed() {
		return
	}
	p.t.Logf("the end of tlslift's log:\n%s", p.logs.tail())
	if dir := os.Getenv(LogsVariable); dir != "" {
		name := strings.NewReplacer("/", "-", " ", "_").Replace(p.t.Name()) + ".log"
		WriteFile(p.t, filepath.Join(dir, name), output)
	}
}

// Result is what a command that ends by itself did.
type Result struct {
	Code   int
	Stdout string
	Stderr string
}

// Run runs tlslift with these arguments until it ends.
func Run(t testing.TB, env []string, arguments ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	command := exec.CommandContext(ctx, Binary(t), arguments...)
	command.Env = append(CleanEnvironment(), env...)
	command.Dir = t.TempDir()
	var stdout, stderr strings.Builder
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("running tlslift %v: %v", arguments, err)
	}
	return Result{command.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// TempFile writes a file of that name into a directory of the test's own.
func TempFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	WriteFile(t, path, text)
	return path
}

// log is what the process wrote, line by line.
type log struct {
	mu      sync.Mutex
	changed *sync.Cond
	raw     []string
	lines   []Line
	watch   func(raw string, fields Line) bool
	ended   bool
}

func newLog(watch func(string, Line) bool) *log {
	l := &log{watch: watch}
	l.changed = sync.NewCond(&l.mu)
	return l
}

func (l *log) add(text string) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var line Line
	isJSON := decoder.Decode(&line) == nil
	if !isJSON {
		line = nil
	}
	if l.watch != nil && !l.watch(text, line) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.raw = append(l.raw, text)
	if isJSON {
		l.lines = append(l.lines, line)
	}
	l.changed.Broadcast()
}

func (l *log) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.changed.Broadcast()
}

// tail is what a failed test shows.
func (l *log) tail() string {
	const shown = 60
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.raw[max(0, len(l.raw)-shown):], "\n")
}
