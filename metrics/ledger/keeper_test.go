package ledger

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"tlslift/proxy/call"
)

// filled writes a ledger of n clients to a new file and returns its path.
func filled(t testing.TB, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := New(Options{Clock: newTestClock(epoch).now, File: path, FlushEvery: time.Hour})
	for i := range n {
		c := addr(fmt.Sprint("client-", i))
		l.Hello(c, HelloObs{Ours: true, Offered: call.Version10, Library: "OpenSSL 0.9.8", JA4: "t10d1"})
		l.Request(c, terminated(call.Version10))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func watched() (*zap.Logger, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	return zap.New(core), logs
}

func TestAFileSurvivesRestarts(t *testing.T) {
	t.Parallel()
	path := filled(t, 20)
	clock := newTestClock(epoch.Add(dayLong))
	log, logs := watched()
	l := New(Options{Clock: clock.now, File: path, FlushEvery: time.Hour, Logger: log})
	l.Request(addr("client-3"), plain("h"))
	before := mustRow(t, l, "client-3")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	l = New(Options{Clock: clock.now, File: path, FlushEvery: time.Hour, Logger: log})
	defer l.Close()
	after := mustRow(t, l, "client-3")
	if fmt.Sprintf("%+v", before) != fmt.Sprintf("%+v", after) || len(after.History) != 2 {
		t.Errorf("before the restart and after it:\n%+v\n%+v", before, after)
	}
	if n := len(l.Snapshot()); n != 20 {
		t.Errorf("%d clients after the restart", n)
	}
	if logs.Len() != 0 {
		t.Errorf("logged: %v", logs.All())
	}
}

func TestEvictedClientsLeaveTheFile(t *testing.T) {
	t.Parallel()
	clock := newTestClock(epoch)
	options := Options{Clock: clock.now, Track: 3, File: filepath.Join(t.TempDir(), "ledger.db"), FlushEvery: time.Hour}
	l := New(options)
	for i := range 9 {
		clock.advance(time.Second)
		l.Connection(addr(fmt.Sprint("secure", i)), spliced())
		if i == 7 {
			clock.advance(time.Second)
			l.Connection(addr("secure0"), spliced()) // comes back after it was evicted
		}
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	want := names(l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	options.Track = 100
	l = New(options)
	defer l.Close()
	if got := names(l); got != want || want != "secure0 secure7 secure8" {
		t.Errorf("after the restart: %s; before: %s", got, want)
	}
	for _, r := range l.Snapshot() {
		if r.ConnectionsPerDay != 1 {
			t.Errorf("%s: %g connections a day", r.Client, r.ConnectionsPerDay)
		}
	}
}

// A client that was evicted and came back while a write was under way is
// written again by the write that carries its removal.
func TestAClientThatCameBackStaysInTheFile(t *testing.T) {
	t.Parallel()
	options := Options{Clock: newTestClock(epoch).now, File: filepath.Join(t.TempDir(), "ledger.db"), FlushEvery: time.Hour}
	l := New(options)
	l.Connection(addr("a"), spliced())
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	l.removed = []removedRow{{"a", []int32{dayOf(epoch.Unix())}}}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = New(options)
	defer l.Close()
	if r := mustRow(t, l, "a"); len(r.History) != 1 {
		t.Errorf("its history: %v", r.History)
	}
}

func names(l *Ledger) string {
	var all []string
	for _, r := range l.Snapshot() {
		all = append(all, r.Client)
	}
	return strings.Join(all, " ")
}

func TestUnusableFilesAreSetAside(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, path string)
		aside bool
	}{
		{"text", func(t *testing.T, path string) { write(t, path, []byte(strings.Repeat("not a database\n", 1000))) }, true},
		{"short", func(t *testing.T, path string) { write(t, path, []byte("x")) }, true},
		{"zeroes", func(t *testing.T, path string) { write(t, path, make([]byte, 1<<16)) }, true},
		{"cut short", func(t *testing.T, path string) { truncate(t, path, 6) }, true},
		{"cut to the meta pages", func(t *testing.T, path string) { truncate(t, path, 2) }, true},
		{"another program's", func(t *testing.T, path string) {
			edit(t, path, func(tx *bbolt.Tx) error {
				if err := tx.DeleteBucket(bucketMeta); err != nil {
					return err
				}
				_, err := tx.CreateBucketIfNotExists([]byte("grocery list"))
				return err
			})
		}, true},
		{"a later version's", func(t *testing.T, path string) {
			edit(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyVersion, []byte("2")) })
		}, true},
		{"a directory", func(t *testing.T, path string) {
			if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"empty", func(t *testing.T, path string) { write(t, path, nil) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filled(t, 100)
			c.spoil(t, path)
			log, logs := watched()
			l := New(Options{Clock: newTestClock(epoch).now, File: path, Logger: log, FlushEvery: time.Hour})
			l.Request(addr("a"), plain("h"))
			if err := l.Close(); err != nil {
				t.Errorf("closing: %v", err)
			}
			aside, _ := filepath.Glob(path + ".unusable-*")
			if (len(aside) == 1) != c.aside || (logs.FilterLevelExact(zapcore.ErrorLevel).Len() == 1) != c.aside {
				t.Errorf("set aside: %v; logged: %v", aside, logs.All())
			}
			again := New(Options{Clock: newTestClock(epoch).now, File: path, FlushEvery: time.Hour})
			defer again.Close()
			if got := names(again); got != "a" {
				t.Errorf("the new file has %q", got)
			}
		})
	}
}

func TestALockedFileIsLeftAlone(t *testing.T) {
	t.Parallel()
	path := filled(t, 3)
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	log, logs := watched()
	l := New(Options{File: path, Logger: log})
	l.Request(addr("a"), plain("h"))
	if err := errors.Join(l.Flush(), l.Close()); err != nil {
		t.Errorf("in memory: %v", err)
	}
	if aside, _ := filepath.Glob(path + ".*"); len(aside) != 0 || logs.FilterLevelExact(zapcore.ErrorLevel).Len() != 1 {
		t.Errorf("set aside: %v; logged: %v", aside, logs.All())
	}
	if _, err := ReadFile(path, epoch, 0); !errors.Is(err, ErrInUse) {
		t.Errorf("reading it: %v, want ErrInUse", err)
	}
}

// Whatever bytes are damaged, the ledger starts, works and closes.
func TestDamagedBytes(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(filled(t, 300))
	if err != nil {
		t.Fatal(err)
	}
	rounds := 150
	if testing.Short() {
		rounds = 20
	}
	r := rand.New(rand.NewPCG(3, 4))
	dir := t.TempDir()
	for i := range rounds {
		data := append([]byte(nil), whole...)
		for range 1 + r.IntN(20) {
			page := r.IntN(len(data) / os.Getpagesize())
			at := page*os.Getpagesize() + r.IntN(64) // heads and elements
			data[at] = byte(r.IntN(256))
		}
		path := filepath.Join(dir, fmt.Sprint(i, ".db"))
		write(t, path, data)
		l := New(Options{Clock: newTestClock(epoch).now, File: path, FlushEvery: time.Hour})
		for j := range 50 {
			l.Request(addr(fmt.Sprint("client-", 10*j)), plain("h"))
		}
		_ = l.Flush() // may fail, must not crash
		_ = l.Close()
	}
}

// A page that names itself would have bbolt recurse for ever.
func TestPagesInACircle(t *testing.T) {
	t.Parallel()
	path := filled(t, 300)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size, changed := os.Getpagesize(), 0
	for id := 2; id < len(data)/size; id++ {
		page := data[id*size:]
		if order.Uint16(page[8:]) == flagBranch {
			order.PutUint64(page[pageHeader+8:], uint64(id))
			changed++
		}
	}
	if changed == 0 {
		t.Fatal("the file has no branch page: the test shows nothing")
	}
	write(t, path, data)
	if err := sound(path); err == nil || !strings.Contains(err.Error(), "used twice") {
		t.Errorf("a circle of pages: %v", err)
	}
}

func TestAFailingWriteIsLoggedOnceAndTriedAgain(t *testing.T) {
	t.Parallel()
	log, logs := watched()
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := New(Options{Clock: newTestClock(epoch).now, File: path, FlushEvery: time.Hour, Logger: log})
	l.Request(addr("a"), plain("h"))
	edit := func(f func(tx *bbolt.Tx) error) {
		t.Helper()
		if err := l.keeper.db.Update(f); err != nil {
			t.Fatal(err)
		}
	}
	edit(func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketClients) })
	for range 3 {
		if l.Flush() == nil {
			t.Fatal("a write without its bucket succeeded")
		}
	}
	edit(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(bucketClients); return err })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n := logs.FilterLevelExact(zapcore.ErrorLevel).Len(); n != 1 {
		t.Errorf("logged %d times", n)
	}
	l, err := ReadFile(path, epoch, 0)
	if err != nil || names(l) != "a" {
		t.Errorf("after all: %q, %v", names(l), err)
	}
}

func TestReadFileTellsWhatTheProcessTold(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	clock := newTestClock(epoch)
	l := New(Options{
		Clock: clock.now, File: path, MigratedAfter: 5 * dayLong, FlushEvery: time.Hour,
		Clients: []Configured{{Name: "declared", Migrated: epoch.Add(dayLong), Owner: "jane"}, {Name: "unseen", Source: "name"}},
	})
	l.Request(addr("declared"), plain("h"))
	l.Request(addr("a"), plain("h"))
	clock.advance(6 * dayLong)
	l.Connection(addr("b"), spliced())
	want := fmt.Sprintf("%+v", l.Snapshot())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	read, err := ReadFile(path, clock.now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%+v", read.Snapshot()); got != want {
		t.Errorf("read:\n%s\ntold:\n%s", got, want)
	}
	longer, err := ReadFile(path, clock.now(), 10*dayLong)
	if err != nil {
		t.Fatal(err)
	}
	if r := mustRow(t, longer, "a"); r.State != Insecure {
		t.Errorf("with a longer N: %s", r.State)
	}
	if _, err := ReadFile(path+".missing", epoch, 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// The child of TestKilled writes a line for every client that it has told the
// ledger, until it is killed.
func TestKilledChild(t *testing.T) {
	path := os.Getenv("TLSLIFT_TEST_LEDGER")
	if path == "" {
		t.Skip("only runs as the child of TestKilled")
	}
	l := New(Options{File: path, FlushEvery: 20 * time.Millisecond})
	for i := range 1 << 30 {
		l.Request(addr(fmt.Sprint("client-", i%500)), plain("h"))
		if i%1000 == 0 {
			stats := l.keeper.db.Stats()
			fmt.Println(i, stats.TxStats.GetWrite())
		}
	}
}

func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
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
		writes, lines := 0, bufio.NewScanner(out)
		for lines.Scan() && writes < 40+round*13 { // killed at another point of the writing each time
			var i int
			_, _ = fmt.Sscan(lines.Text(), &i, &writes)
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
		log, logs := watched()
		l := New(Options{File: path, Logger: log})
		if n := len(l.Snapshot()); n != 500 || logs.Len() != 0 {
			t.Fatalf("round %d: %d clients after the kill; logged: %v", round, n, logs.All())
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheBackgroundWriterWrites(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := New(Options{File: path, FlushEvery: 5 * time.Millisecond})
	defer l.Close()
	l.Request(addr("a"), plain("h"))
	deadline := time.After(10 * time.Second)
	for {
		var found bool
		err := l.keeper.db.View(func(tx *bbolt.Tx) error {
			found = tx.Bucket(bucketClients).Get([]byte("a")) != nil
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if found {
			return
		}
		select {
		case <-deadline:
			t.Fatal("nothing was written")
		default:
		}
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// truncate leaves a number of pages.
func truncate(t *testing.T, path string, pages int) {
	t.Helper()
	if err := os.Truncate(path, int64(pages*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, path string, f func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		t.Fatal(err)
	}
}
