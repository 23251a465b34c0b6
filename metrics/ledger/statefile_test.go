package ledger

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"tlslift/proxy/call"
)

func watched() (*zap.Logger, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	return zap.New(core), logs
}

func names(l *Ledger) string {
	var all []string
	for _, r := range l.Snapshot() {
		all = append(all, r.Client)
	}
	return strings.Join(all, " ")
}

func TestAFileSurvivesRestarts(t *testing.T) {
	t.Parallel()
	path := filled(t, 20)
	log, logs := watched()
	g := newRigIn(Options{File: path, Logger: log}, Settings{})
	g.clock.advance(dayLong)
	g.request("client-3", plain("h"))
	before := g.row(t, "client-3")
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	again := rigAt(g.clock, Options{File: path, Logger: log}, Settings{})
	defer again.Close()
	after := again.row(t, "client-3")
	if fmt.Sprintf("%+v", before) != fmt.Sprintf("%+v", after) || len(after.History) != 2 {
		t.Errorf("before the restart and after it:\n%+v\n%+v", before, after)
	}
	if n := len(again.Snapshot()); n != 20 {
		t.Errorf("%d clients after the restart", n)
	}
	if logs.Len() != 0 {
		t.Errorf("logged: %v", logs.All())
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
}

// A link stays one: the file that it leads to is written, and the lock is beside that,
// for anyone who names it without the link.
func TestALinkLeadsToTheFile(t *testing.T) {
	t.Parallel()
	for name, there := range map[string]string{"a file": filled(t, 3), "no file yet": filepath.Join(t.TempDir(), "ledger.json")} {
		dir := t.TempDir()
		link, second := filepath.Join(dir, "link.json"), filepath.Join(dir, "second.json")
		for at, to := range map[string]string{second: there, link: filepath.Base(second)} {
			if err := os.Symlink(to, at); err != nil {
				t.Fatal(err)
			}
		}
		g := newRigIn(Options{File: link}, Settings{})
		g.request("a", plain("h"))
		if err := g.Flush(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(lockPath(there)); err != nil {
			t.Errorf("%s: the lock: %v", name, err)
		}
		if err := g.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, path := range []string{link, second} {
			if _, err := os.Readlink(path); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if l, err := ReadFile(there, epoch, 0); err != nil || !strings.Contains(names(l), "a") {
			t.Errorf("%s: %v", name, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
			t.Errorf("%s: beside the link: %v, %v", name, entries, err)
		}
	}
}

// A machine that starts with its clock behind, and is set right later, must not
// make what was insecure lately look long past.
func TestAClockThatIsBehind(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.json")
	const name, after = "client", 14 * dayLong
	open := func(c *testClock, log *zap.Logger) rig {
		return rigAt(c, Options{File: path, Logger: log}, Settings{MigratedAfter: after})
	}
	g := newRigIn(Options{File: path}, Settings{MigratedAfter: after})
	g.clock.advance(100 * dayLong)
	g.request(name, plain("h"))
	before := g.row(t, name)
	g.Close()

	log, logs := watched()
	g.clock.advance(-60 * dayLong)
	behind := open(g.clock, log)
	if logs.FilterMessageSnippet("the clock is behind").Len() != 1 {
		t.Errorf("logged: %v", logs.All())
	}
	behind.request("another", plain("h"))
	if r := behind.row(t, name); r.State != Insecure {
		t.Errorf("with the clock behind it is %s", r.State)
	}
	behind.Close()

	g.clock.advance(60*dayLong + time.Minute)
	right := open(g.clock, zap.NewNop())
	defer right.Close()
	right.sight(name, spliced())
	if r := right.row(t, name); r.State != Mixed || !r.LastInsecure.Equal(before.LastInsecure) {
		t.Errorf("with the clock set right it is %s, last insecure %v, want mixed and %v", r.State, r.LastInsecure, before.LastInsecure)
	}
}

// A ledger that was released is another process's to keep: nothing is written
// until it is reclaimed, and then whatever came meanwhile is there.
//
// It runs alone: a process that another test is starting has the file's lock for a
// moment, as every descriptor between fork and exec.
func TestReleasedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.json")
	log, logs := watched()
	g := newRigIn(Options{File: path, Logger: log}, Settings{})
	g.request("before", plain("h"))
	if err := g.Release(); err != nil {
		t.Fatal(err)
	}
	g.request("meanwhile", plain("h"))
	if err := g.Flush(); err != nil {
		t.Error(err)
	}
	next := rigAt(g.clock, Options{File: path, Logger: log}, Settings{})
	if got := names(next.Ledger); got != "before" {
		t.Errorf("the other process reads %q", got)
	}
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
	g.Reclaim()
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	again := rigAt(g.clock, Options{File: path}, Settings{})
	defer again.Close()
	if got := names(again.Ledger); got != "before meanwhile" {
		t.Errorf("reclaimed: %q", got)
	}
	if logs.Len() != 0 {
		t.Errorf("logged: %v", logs.All())
	}
}

func TestEvictedClientsLeaveTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.json")
	g := newRigIn(Options{File: path}, Settings{Track: 3})
	for i := range 9 {
		g.clock.advance(time.Second)
		g.sight(fmt.Sprint("secure", i), spliced())
		if i == 7 {
			g.clock.advance(time.Second)
			g.sight("secure0", spliced()) // comes back after it was evicted
		}
		if err := g.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	want := names(g.Ledger)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	again := newRigIn(Options{File: path}, Settings{})
	defer again.Close()
	if got := names(again.Ledger); got != want || want != "secure0 secure7 secure8" {
		t.Errorf("after the restart: %s; before: %s", got, want)
	}
}

// After a restart, too, the client unseen for longest gives way first.
func TestARestartKeepsTheOrderOfEviction(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.json")
	g := newRigIn(Options{File: path}, Settings{})
	for _, name := range []string{"b", "d", "a", "c"} {
		g.clock.advance(time.Second)
		g.sight(name, spliced())
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	again := rigAt(g.clock, Options{File: path}, Settings{Track: 4, Clients: []Configured{{Name: "b"}}})
	defer again.Close()
	again.sight("e", spliced())
	again.sight("f", spliced())
	if got := names(again.Ledger); got != "a b c e f" {
		t.Errorf("kept: %s", got)
	}
}

func TestUnusableFilesAreSetAside(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(whole []byte) []byte
		aside bool
	}{
		{"text", func([]byte) []byte { return []byte(strings.Repeat("not a ledger\n", 1000)) }, true},
		{"short", func([]byte) []byte { return []byte("x") }, true},
		{"zeroes", func([]byte) []byte { return make([]byte, 1<<17) }, true},
		{"cut short", func(whole []byte) []byte { return whole[:len(whole)-1] }, true},
		{"cut to whole lines", func(whole []byte) []byte { return whole[:bytes.LastIndexByte(whole[:len(whole)-1], '\n')+1] }, true},
		{"cut to its header", func(whole []byte) []byte { return whole[:bytes.IndexByte(whole, '\n')+1] }, true},
		{"a changed byte", func(whole []byte) []byte {
			return bytes.Replace(whole, []byte(`"client-7"`), []byte(`"client-6"`), 1)
		}, true},
		{"another program's", func([]byte) []byte { return []byte(`{"format":"grocery-list","version":1}` + "\n") }, true},
		{"a later version's", func(whole []byte) []byte {
			return bytes.Replace(whole, []byte(`"version":1`), []byte(`"version":2`), 1)
		}, true},
		{"a line without an end", func([]byte) []byte { return append(signed("{}"), bytes.Repeat([]byte("x"), 1<<20)...) }, true},
		{"empty", func([]byte) []byte { return nil }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filled(t, 100)
			spoil(t, path, c.spoil)
			log, logs := watched()
			g := newRigIn(Options{File: path, Logger: log}, Settings{})
			g.request("a", plain("h"))
			if err := g.Close(); err != nil {
				t.Errorf("closing: %v", err)
			}
			aside, _ := filepath.Glob(path + ".unusable-*")
			if (len(aside) == 1) != c.aside || (logs.FilterLevelExact(zapcore.ErrorLevel).Len() == 1) != c.aside || (g.writeFailures.Load() == 1) != c.aside {
				t.Errorf("set aside: %v; counted: %d; logged: %v", aside, g.writeFailures.Load(), logs.All())
			}
			again := newRigIn(Options{File: path}, Settings{})
			defer again.Close()
			if got := names(again.Ledger); got != "a" {
				t.Errorf("the new file has %q", got)
			}
		})
	}
}

func spoil(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	whole, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, f(whole), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// What is not a file, such as a directory full of other things, is not touched.
func TestADirectoryIsLeftAlone(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	path := filepath.Join(parent, "keep")
	if err := os.MkdirAll(filepath.Join(path, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	log, logs := watched()
	g := newRigIn(Options{File: path, Logger: log}, Settings{})
	g.request("a", plain("h"))
	if err := errors.Join(g.Flush(), g.Close()); err != nil {
		t.Errorf("in memory: %v", err)
	}
	if _, err := os.Stat(filepath.Join(path, "x")); err != nil {
		t.Error(err)
	}
	if beside, _ := filepath.Glob(filepath.Join(parent, "*")); len(beside) != 1 || logs.FilterLevelExact(zapcore.ErrorLevel).Len() != 1 || g.writeFailures.Load() != 1 {
		t.Errorf("there is %v; counted: %d; logged: %v", beside, g.writeFailures.Load(), logs.All())
	}
	if got := names(g.Ledger); got != "a" {
		t.Errorf("in memory: %q", got)
	}
}

// Whatever byte is damaged, the file is read whole or not at all.
func TestDamagedBytes(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(filled(t, 50))
	if err != nil {
		t.Fatal(err)
	}
	head := bytes.IndexByte(whole, '\n')
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		data, at := bytes.Clone(whole), r.IntN(len(whole))
		data[at] ^= byte(1 + r.IntN(255))
		if s, err := readSnapshot(bytes.NewReader(data), epoch.Unix()); err == nil && (at > head || len(s.rows) != 50) {
			t.Fatalf("byte %d is damaged and %d clients were read", at, len(s.rows))
		}
	}
}

// Neither this nor the next test runs beside one that starts processes: a child
// holds the parent's locks for a moment, and no fake clock waits for it.
func TestALockedFileIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filled(t, 3)
		holder := newRigIn(Options{File: path}, Settings{})
		defer holder.Close()
		before, _ := os.ReadFile(path)
		log, logs := watched()
		g := newRigIn(Options{File: path, Logger: log}, Settings{})
		g.request("a", plain("h"))
		if err := errors.Join(g.Flush(), g.Close()); err != nil {
			t.Errorf("in memory: %v", err)
		}
		after, _ := os.ReadFile(path)
		if !bytes.Equal(before, after) || logs.FilterLevelExact(zapcore.ErrorLevel).Len() != 1 || g.writeFailures.Load() != 1 {
			t.Errorf("written: %t; logged: %v", !bytes.Equal(before, after), logs.All())
		}
		if got := names(g.Ledger); got != "a" {
			t.Errorf("in memory: %q", got)
		}
		if l, err := ReadFile(path, epoch, 0); err != nil || len(l.Snapshot()) != 3 {
			t.Errorf("reading what another process holds: %v", err)
		}
	})
}

// A predecessor that is just ending is waited for.
func TestAPredecessorIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filled(t, 3)
		holder := newRigIn(Options{File: path}, Settings{})
		holder.request("late", plain("h"))
		go func() {
			time.Sleep(lockWait / 2)
			_ = holder.Close()
		}()
		g := newRigIn(Options{File: path}, Settings{})
		defer g.Close()
		g.row(t, "late")
	})
}

// metricsOf are the ledger's own two figures of its file.
func (g rig) metricsOf(t *testing.T) string {
	t.Helper()
	return fmt.Sprint(g.lastWrite.Load(), " ", g.writeFailures.Load())
}

func TestAnUnwritableFileIsLoggedOnceAndTriedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ forbid, permit func(path string) error }{
		"no directory": {
			func(path string) error { return os.Remove(filepath.Dir(path)) },
			func(path string) error { return os.Mkdir(filepath.Dir(path), 0o700) },
		},
		"no new file": {
			func(path string) error { return os.MkdirAll(path+".new/x", 0o700) },
			func(path string) error { return os.RemoveAll(path + ".new") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "state", "ledger.json")
				if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), c.forbid(path)); err != nil {
					t.Fatal(err)
				}
				log, logs := watched()
				g := newRigIn(Options{File: path, Logger: log}, Settings{})
				defer g.Close()
				g.request("a", plain("h"))
				time.Sleep(5 * writeEvery)
				synctest.Wait()
				if n := logs.FilterLevelExact(zapcore.ErrorLevel).Len(); n != 1 || g.writeFailures.Load() < 4 || g.lastWrite.Load() != 0 {
					t.Errorf("logged %d times; last write and failures: %s", n, g.metricsOf(t))
				}
				if err := c.permit(path); err != nil {
					t.Fatal(err)
				}
				time.Sleep(writeEvery)
				synctest.Wait()
				if l, err := ReadFile(path, epoch, 0); err != nil || names(l) != "a" || g.lastWrite.Load() != epoch.Unix() {
					t.Errorf("after all: %v, %s", err, g.metricsOf(t))
				}
				if last := logs.All()[logs.Len()-1]; last.Message != "the state file is written again" {
					t.Errorf("logged last: %v", last)
				}
			})
		})
	}
}

// An unusable file is not replaced for as long as it cannot be set aside.
func TestAFileThatCannotBeSetAsideIsNotReplaced(t *testing.T) {
	t.Parallel()
	path := filledWith(t, []byte("precious\n"))
	aside := path + ".unusable-" + epoch.Format("20060102T150405Z")
	if err := os.MkdirAll(filepath.Join(aside, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	g := newRigIn(Options{File: path}, Settings{})
	g.request("a", plain("h"))
	if err := g.Flush(); err == nil {
		t.Error("written all the same")
	}
	if data, _ := os.ReadFile(path); string(data) != "precious\n" {
		t.Errorf("the file is now %q", data)
	}
	g.clock.advance(time.Second) // another name to set it aside by
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err := ReadFile(path, epoch, 0); err != nil || names(l) != "a" {
		t.Errorf("after all: %v", err)
	}
}

// A file that cannot be read stays where it is. As soon as it can be, its clients are
// adopted, together with what was recorded meanwhile.
func TestAFileThatCannotBeReadIsReadLater(t *testing.T) {
	t.Parallel()
	for name, forbid := range map[string]func(t *testing.T, path string) (permit func() error){
		"the file": func(t *testing.T, path string) func() error { return hide(t, path) },
		"the file and its lock": func(t *testing.T, path string) func() error {
			file, lock := hide(t, path), hide(t, path+".lock")
			return func() error { return errors.Join(file(), lock()) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "ledger.json")
				before := newRigIn(Options{File: path}, Settings{})
				for _, client := range []string{"old", "both", "named", "visitor"} {
					before.request(client, plain("h"))
				}
				before.clock.advance(time.Second)
				before.request("both", terminated(call.Version10))
				if err := before.Close(); err != nil {
					t.Fatal(err)
				}
				permit := forbid(t, path)
				log, logs := watched()
				before.clock.advance(dayLong)
				settings := Settings{Clients: []Configured{{Name: "named"}}, LabelLimit: 10}
				g := rigAt(before.clock, Options{File: path, Logger: log}, settings)
				defer g.Close()
				g.request("both", plain("h"))
				g.request("new", plain("h"))
				g.request("visitor", foreign())
				time.Sleep(3 * writeEvery)
				synctest.Wait()
				if n := logs.FilterMessage("writing the state file failed; it is tried again").Len(); n != 1 || logs.Len() != 1 || g.lastWrite.Load() != 0 {
					t.Errorf("logged: %v; last write and failures: %s", logs.All(), g.metricsOf(t))
				}
				if err := permit(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(writeEvery)
				synctest.Wait()
				if aside, _ := filepath.Glob(path + ".unusable-*"); len(aside) > 0 {
					t.Errorf("set aside: %v", aside)
				}
				read, err := ReadFile(path, g.clock.now(), 0)
				if err != nil {
					t.Fatal(err)
				}
				for where, l := range map[string]*Ledger{"memory": g.Ledger, "the file": read} {
					if got := names(l); got != "both named new old visitor" {
						t.Errorf("in %s: %s", where, got)
					}
					both := rig{l, g.clock}.row(t, "both")
					if len(both.Requests) != 2 || both.Requests[0].Count != 2 || len(both.History) != 2 || !both.FirstSeen.Equal(epoch) || !both.LastInsecure.Equal(g.clock.now()) {
						t.Errorf("in %s: %+v", where, both)
					}
				}
				if n := g.Stats().Tracked; n != 4 { // all but the configured one
					t.Errorf("%d discovered clients", n)
				}
				if last := logs.All()[logs.Len()-1]; last.Message != "the state file is written again" || g.Stats().Unwritten != nil {
					t.Errorf("logged last: %v", last)
				}
			})
		})
	}
}

// hide puts a symbolic link that leads to itself in the place of a file, so that
// nobody can read it, not even root.
func hide(t *testing.T, path string) (permit func() error) {
	t.Helper()
	if err := errors.Join(os.Rename(path, path+".hidden"), os.Symlink(path, path)); err != nil {
		t.Skip("needs symbolic links: ", err)
	}
	return func() error { return os.Rename(path+".hidden", path) }
}

// The order of eviction is that of the last sights, whenever the file was read.
func TestAdoptedRowsGiveWayFirst(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.json")
	before := newRigIn(Options{File: path}, Settings{})
	before.sight("old", spliced())
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	permit := hide(t, path)
	before.clock.advance(time.Second)
	g := rigAt(before.clock, Options{File: path}, Settings{Track: 2})
	defer g.Close()
	g.sight("a", spliced())
	if err := errors.Join(permit(), g.Flush()); err != nil {
		t.Fatal(err)
	}
	g.sight("b", spliced())
	if got := names(g.Ledger); got != "a b" {
		t.Errorf("kept: %s", got)
	}
}

// Nothing is lost but the last 10 s, or 60 s of a large ledger; and nothing is
// written while nothing changes.
func TestHowOftenTheFileIsWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger.json")
		g := rig{New(Options{File: path}), nil}
		defer g.Close()
		record := func(client string) {
			o := plain("h")
			o.Client, o.End = named(client), time.Now()
			g.Record(&o)
		}
		writes := func(within time.Duration, busy bool) int {
			n, last := 0, g.lastWrite.Load()
			for range int(within / time.Second) {
				time.Sleep(time.Second)
				synctest.Wait()
				if now := g.lastWrite.Load(); now != last {
					n, last = n+1, now
				}
				if busy {
					record("a")
				}
			}
			return n
		}
		record("a")
		if n := writes(60*time.Second, false); n != 1 {
			t.Errorf("%d writes of one change", n)
		}
		if n := writes(60*time.Second, true); n != 6 {
			t.Errorf("%d writes in a minute of traffic, want 6", n)
		}
		for i := range 4000 {
			record(fmt.Sprint("client-", i))
		}
		writes(10*time.Second, false)
		if info, err := os.Stat(path); err != nil || info.Size() < largeFile {
			t.Fatalf("the file: %d bytes, %v", info.Size(), err)
		}
		if n := writes(180*time.Second, true); n != 3 {
			t.Errorf("%d writes of a large file in 3 minutes of traffic, want 3", n)
		}
	})
}

// The child of TestKilled writes the ledger over and over, until it is killed.
func TestKilledChild(t *testing.T) {
	path := os.Getenv("TLSLIFT_TEST_LEDGER")
	if path == "" {
		t.Skip("only runs as the child of TestKilled")
	}
	g := newRigIn(Options{File: path}, Settings{LabelLimit: 1})
	for n := uint64(1); ; n++ {
		for i := range 500 {
			g.request(fmt.Sprint("client-", i), plain("h"))
		}
		if err := g.Flush(); err != nil {
			t.Fatal(err)
		}
		fmt.Println(n)
	}
}

// Nothing written before kill -9 is lost, and no series goes on from what was.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.json")
	total := uint64(0)
	for round := range 5 {
		child := exec.Command(os.Args[0], "-test.run=^TestKilledChild$")
		child.Env = append(os.Environ(), "TLSLIFT_TEST_LEDGER="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		written, lines := uint64(0), bufio.NewScanner(out)
		for lines.Scan() && written < uint64(3+round*2) { // killed at another point of the writing each time
			_, _ = fmt.Sscan(lines.Text(), &written)
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
		log, logs := watched()
		g := newRigIn(Options{File: path, Logger: log}, Settings{LabelLimit: 1})
		if n := len(g.Snapshot()); n != 500 || logs.Len() != 0 {
			t.Fatalf("round %d: %d clients after the kill; logged: %v", round, n, logs.All())
		}
		if got := g.row(t, "client-7").Requests[0].Count; got < total+written {
			t.Errorf("round %d: %d requests after the kill, at least %d were written", round, got, total+written)
		} else {
			total = got
		}
		if got := g.scrape(t); got.sum("tlslift_client_requests_total") != 0 || got.has("tlslift_client_last_insecure_timestamp_seconds") {
			t.Errorf("series before there was traffic: %v", got)
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A disk that does not answer holds up neither an upgrade nor the end, and is told
// from one that is written. When it answers, everything goes on.
func TestTheDiskDoesNotAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, logs := watched()
		var disk sync.RWMutex // a write reads the clock first
		hung := make(chan struct{})
		answering := func() time.Time {
			disk.RLock()
			wait := hung
			disk.RUnlock()
			<-wait
			return time.Now()
		}
		close(hung)
		l := New(Options{File: filepath.Join(t.TempDir(), "ledger"), Logger: log, Clock: answering})
		record := func(client string) {
			o := plain("h")
			o.Kind, o.Client, o.End = call.Request, named(client), time.Now()
			l.Record(&o)
		}
		record("before")
		disk.Lock()
		hung = make(chan struct{})
		disk.Unlock()
		time.Sleep(writeEvery + writeWithin)
		synctest.Wait()
		if !strings.Contains(fmt.Sprint(logs.All()), errNoAnswer.Error()) || l.writeFailures.Load() != 1 || l.unwritten.Load() == nil {
			t.Errorf("after %v: %d failures, %v", writeWithin, l.writeFailures.Load(), logs.All())
		}
		for name, f := range map[string]func() error{"released": l.Release, "closed": l.Close} {
			if start, err := time.Now(), f(); !errors.Is(err, errNoAnswer) || time.Since(start) != lastWithin {
				t.Errorf("%s after %v: %v", name, time.Since(start), err)
			}
		}
		l.Reclaim()
		close(hung)
		synctest.Wait()
		record("after")
		if err := l.Flush(); err != nil || l.unwritten.Load() != nil {
			t.Errorf("when it answers: %v", err)
		}
		l.file.failed(errNoAnswer) // of a write that succeeded just then
		if err := l.Flush(); err != nil || l.unwritten.Load() != nil {
			t.Errorf("nothing changed since: %v, said to be unwritten", err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}
