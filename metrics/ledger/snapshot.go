package ledger

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"
)

// The file is a snapshot in lines of JSON: a header, the settings that a report
// needs, and one client per line. The header has the SHA-256 of everything after it.
const (
	fileFormat  = "tlslift-ledger"
	fileVersion = 1         // of the format; a file with a higher one is from a later tlslift
	maxLine     = 128 << 10 // bytes; the fullest row takes about half of that
	maxRows     = 1 << 20   // maximum read from a file
)

type header struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Written time.Time `json:"written"`
	SHA256  string    `json:"sha256"`
}

type settings struct {
	Instance             string    `json:"instance,omitempty"` // the process that wrote the file
	Target               time.Time `json:"target,omitzero"`
	MigratedAfterSeconds int64     `json:"migrated_after_seconds"`
	Overflowed           uint64    `json:"overflowed,omitempty"`
}

// writeSnapshot writes the current ledger to a new file and syncs it to the disk.
// It returns the size in bytes.
func (l *Ledger) writeSnapshot(path string, now time.Time) (size int64, err error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out, sum := bufio.NewWriterSize(f, maxLine), sha256.New()
	_, _ = out.Write(headerLine(now, sum)) // rewritten below, when the sum is known; Flush returns the error
	if err := l.writeBody(io.MultiWriter(out, sum)); err != nil {
		return 0, err
	}
	if err := out.Flush(); err != nil {
		return 0, err
	}
	if _, err := f.WriteAt(headerLine(now, sum), 0); err != nil {
		return 0, err
	}
	if size, err = f.Seek(0, io.SeekEnd); err != nil {
		return 0, err
	}
	return size, f.Sync()
}

// headerLine returns the header. Its length is the same for any sum.
func headerLine(now time.Time, sum hash.Hash) []byte {
	line, _ := json.Marshal(header{fileFormat, fileVersion, now.UTC().Truncate(time.Second), hex.EncodeToString(sum.Sum(nil))})
	return append(line, '\n')
}

func (l *Ledger) writeBody(out io.Writer) error {
	p := l.currentPolicy()
	enc := json.NewEncoder(out)
	if err := enc.Encode(settings{l.instance, p.Target.UTC(), int64(p.MigratedAfter / time.Second), l.Stats().Overflowed}); err != nil {
		return err
	}
	for r := range l.copies(l.all()) {
		if err := enc.Encode(encode(r, p)); err != nil {
			return err
		}
	}
	return nil
}

// snapshot is what a file holds.
type snapshot struct {
	instance      string
	target        time.Time
	migratedAfter time.Duration
	rows          []*row
	overflowed    uint64
	clients       []Configured // the rows that were configured
	unreadable    int          // lines that do not hold a client
	latest        int64        // Unix seconds; no time in it is later
	early         bool         // it was written later than readSnapshot's latest: the clock is behind
	written       time.Time
}

var errEmpty = errors.New("it is empty")

// ErrNotLedger is the error for a file that is not a ledger.
var ErrNotLedger = errors.New("it is not a tlslift ledger")

// readSnapshot reads a file and rejects it if its checksum is wrong. It caps
// times at latest (Unix seconds) or at the time the file was written, if that is
// later: a clock that is behind must not make sightings look older than they are.
func readSnapshot(in io.Reader, latest int64) (*snapshot, error) {
	lines := bufio.NewReaderSize(in, maxLine)
	line, err := lines.ReadSlice('\n')
	switch {
	case len(line) == 0 && errors.Is(err, io.EOF):
		return nil, errEmpty
	case NotRead(err):
		return nil, err
	}
	var head header
	if err != nil || json.Unmarshal(line, &head) != nil || head.Format != fileFormat {
		return nil, ErrNotLedger
	}
	if head.Version != fileVersion {
		return nil, fmt.Errorf("its format is version %d, this program's is %d", head.Version, fileVersion)
	}
	s, sum := &snapshot{latest: max(latest, head.Written.Unix()), early: head.Written.Unix() > latest, written: head.Written}, sha256.New()
	for n := 0; ; n++ {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+2, err)
		}
		if n > maxRows {
			return nil, fmt.Errorf("more than %d clients", maxRows)
		}
		sum.Write(line)
		s.take(n, line)
	}
	if want, err := hex.DecodeString(head.SHA256); err != nil || !bytes.Equal(want, sum.Sum(nil)) {
		return nil, errors.New("its checksum is wrong: it was damaged or cut short")
	}
	return s, nil
}

// take reads the nth line after the header.
func (s *snapshot) take(n int, line []byte) {
	if n == 0 {
		var known settings
		if json.Unmarshal(line, &known) == nil {
			s.instance, s.target, s.overflowed = known.Instance, known.Target, known.Overflowed
			s.migratedAfter = time.Duration(known.MigratedAfterSeconds) * time.Second
		}
		return
	}
	var rec record
	if json.Unmarshal(line, &rec) != nil {
		s.unreadable++
		return
	}
	r, err := decode(&rec, s.latest)
	if err != nil {
		s.unreadable++
		return
	}
	if r.configured {
		s.clients = append(s.clients, Configured{Name: r.name, Migrated: rec.Declared, Unnamed: rec.Unnamed})
	}
	if r.first != 0 || r.lastRefused != 0 {
		s.rows = append(s.rows, r)
	}
}

// readFile reads the snapshot at path.
func readFile(path string, now time.Time) (*snapshot, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readSnapshot(f, now.Add(24*time.Hour).Unix())
}

// ReadFile reads a ledger's file without changing it. The file may be in use by a
// running process, because each snapshot replaces the previous one as a whole.
// States are as of now, under the settings in the file. If migratedAfter is
// positive, it overrides the one there.
func ReadFile(path string, now time.Time, migratedAfter time.Duration) (*Ledger, error) {
	s, err := readFile(path, now)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if migratedAfter <= 0 {
		migratedAfter = s.migratedAfter
	}
	l := New(Options{Clock: func() time.Time { return now }})
	l.instance = s.instance
	l.adopt(s)
	l.Configure(Settings{Target: s.target, MigratedAfter: migratedAfter, Clients: s.clients, Track: maxRows})
	return l, nil
}
