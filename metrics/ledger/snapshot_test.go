package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
	"tlslift/proxy/redact"
)

// filled writes a ledger of n clients to a new file and returns its path.
func filled(t testing.TB, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.json")
	g := newRigIn(Options{File: path}, Settings{})
	for i := range n {
		c := fmt.Sprint("client-", i)
		v := ended(call.Version10)
		v.Hello.Library, v.Hello.JA4 = "OpenSSL 0.9.8", "t10d1"
		g.sight(c, v)
		g.request(c, terminated(call.Version10))
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFileShowsWhatTheProcessShowed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.json")
	g := newRigIn(Options{File: path}, Settings{
		Target: epoch.Add(30 * dayLong), MigratedAfter: 5 * dayLong,
		Clients: []Configured{{Name: "declared", Migrated: epoch.Add(dayLong)}, {Name: "unseen"}},
	})
	defer g.Close()
	g.request("declared", plain("h"))
	own := plain("h")
	own.FallsBack = true
	g.request("a", own)
	g.clock.advance(6 * dayLong)
	g.sight("b", spliced())
	want := fmt.Sprintf("%+v", g.Snapshot())
	if err := g.Flush(); err != nil {
		t.Fatal(err)
	}
	read, err := ReadFile(path, g.clock.now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%+v", read.Snapshot()); got != want {
		t.Errorf("read:\n%s\nshown:\n%s", got, want)
	}
	if s := read.Summary(); !s.Forecast.Target.Equal(epoch.Add(30 * dayLong)) {
		t.Errorf("the target read is %s", s.Forecast.Target)
	}
	longer, err := ReadFile(path, g.clock.now(), 10*dayLong)
	if err != nil {
		t.Fatal(err)
	}
	if r, _ := longer.Row("a"); r.State != Insecure || !r.FallsBack {
		t.Errorf("with a longer N: %s, falls back %t", r.State, r.FallsBack)
	}
	if _, err := ReadFile(path+".missing", epoch, 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := ReadFile(filledWith(t, nil), epoch, 0); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty file: %v", err)
	}
}

// Clients that had no row are not forgotten with the process.
func TestTheOverflowRowOutlivesARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.json")
	g := newRigIn(Options{File: path}, Settings{Track: 2})
	for i := range 5 {
		g.request(fmt.Sprint("client-", i), plain("h"))
	}
	want := g.row(t, call.LabelOverflow)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	read, err := ReadFile(path, g.clock.now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	again := rigAt(g.clock, Options{File: path}, Settings{Track: 2})
	for name, l := range map[string]*Ledger{"read": read, "opened": again.Ledger} {
		r, found := l.Row(call.LabelOverflow)
		if s := l.Summary(); !found || fmt.Sprintf("%+v", r) != fmt.Sprintf("%+v", want) || s.Overflowed != 3 || s.Clients != 3 {
			t.Errorf("%s: %+v, want\n%+v; %d overflowed of %d clients", name, r, want, s.Overflowed, s.Clients)
		}
	}
	if n := again.scrape(t).sum("tlslift_client_requests_total", client(call.LabelOverflow)); n != 0 {
		t.Errorf("its counter begins at %v", n)
	}
	again.request("client-9", plain("h"))
	if r := again.row(t, call.LabelOverflow); r.Requests[0].Count != 4 {
		t.Errorf("%d requests after one more", r.Requests[0].Count)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func filledWith(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The fullest row that there can be fits into a line, and comes back.
func TestTheFullestRowFits(t *testing.T) {
	t.Parallel()
	r := fullest(strings.Repeat("<", maxName))
	line, err := json.Marshal(encode(r, newPolicy(Settings{})))
	if err != nil {
		t.Fatal(err)
	}
	if len(line) > maxLine*3/4 {
		t.Errorf("the fullest row has %d bytes of %d", len(line), maxLine)
	}
	var rec record
	if err := json.Unmarshal(line, &rec); err != nil {
		t.Fatal(err)
	}
	back, err := decode(&rec, r.last)
	if err != nil || fmt.Sprintf("%+v", *back) != fmt.Sprintf("%+v", *r) {
		t.Errorf("does not come back: %v\n%+v\n%+v", err, *back, *r)
	}
}

// fullest is a row that has everything that a row can have.
func fullest(name string) *row {
	const huge = 1<<32 - 1
	now := epoch.Unix()
	wide := strings.Repeat("<", maxText)
	r := &row{
		name: name, source: wide, first: now - 1, last: now, lastInsecure: now, lastSecure: now, lastServed: now, lastRefused: now, lastLifted: now,
		offered: call.Version13, library: wide, old: wide, ja4: wide, family: call.FamilyApacheHTTP,
	}
	for _, v := range Verdicts {
		r.evidence[v] = now
	}
	count := func(k key) { *r.totals.at(k) = 1<<64 - 1 }
	for _, v := range call.Versions {
		count(key{ofHellos, uint8(v), 0, 0})
		for _, i := range append(call.Ingresses[:], call.Unknown) {
			count(key{ofRequests, uint8(i), uint8(v), 0})
		}
		for _, h := range call.Handlings {
			count(key{ofConnections, uint8(h), uint8(v), 0})
		}
	}
	for _, f := range call.HandshakeFailures {
		count(key{ofFailures, uint8(f), 0, 0})
	}
	for _, reason := range problem.DeniedReasons {
		count(key{ofRefusals, uint8(reason), 0, 0})
	}
	for i := range redact.AllKinds {
		r.exposed[0][i], r.exposed[1][i] = sight{1<<64 - 1, now}, sight{1<<64 - 1, now}
	}
	for kind := range numMarkKinds {
		for i := range maxMarks {
			r.marks = append(r.marks, mark{kind: kind, text: fmt.Sprint(i) + wide[1:], count: 1<<64 - 1, last: now, back: now})
		}
	}
	for d := range int32(historyDays) {
		r.days = append(r.days, day{dayOf(now) - historyDays + 1 + d, DayCounts{huge, huge, huge, huge}})
	}
	return r
}

// signed is a file with a right checksum over these lines.
func signed(lines ...string) []byte {
	body := strings.Join(lines, "\n") + "\n"
	head, _ := json.Marshal(header{fileFormat, fileVersion, epoch, fmt.Sprintf("%x", sha256.Sum256([]byte(body)))})
	return append(append(head, '\n'), body...)
}

// What a file claims is bounded, even if its checksum is right.
func TestStrangeRecordsAreBounded(t *testing.T) {
	t.Parallel()
	data := signed(`{"migrated_after_seconds":60}`,
		`{"client":"late","first_seen":"2026-01-01T00:00:00Z","last_seen":"9999-01-01T00:00:00Z","last_insecure":"9999-01-01T00:00:00Z"}`,
		`{"client":"never"}`,
		`{"client":"a\u0007b","first_seen":"2026-01-01T00:00:00Z","last_seen":"2026-01-02T00:00:00Z"}`,
		`{"client":"backwards","first_seen":"2026-01-02T00:00:00Z","last_seen":"2026-01-01T00:00:00Z"}`,
		`{"client":"words","first_seen":"2026-01-01T00:00:00Z","last_seen":"2026-01-02T00:00:00Z","library":"\u001b[31m",
			"counts":[{"of":"moons","n":1},{"of":"requests","a":"forward","b":"9","n":2},{"of":"failures","a":"sunspots","n":3}],
			"days":[[19990101,1,1,1,1],[20260101,1,2,3,4],[20251231,1,1,1,1],[20990101,1,1,1,1],[4294967295,1,1,1,1]]}`,
		`not a record`)
	data = bytes.ReplaceAll(data, []byte(",\n\t\t\t"), []byte(","))
	data = signed(strings.Split(strings.TrimSpace(string(data)), "\n")[1:]...)
	s, err := readSnapshot(bytes.NewReader(data), epoch.Unix())
	if err != nil {
		t.Fatal(err)
	}
	if s.unreadable != 4 || len(s.rows) != 2 || s.migratedAfter != time.Minute {
		t.Fatalf("%d unreadable, %d rows, %v", s.unreadable, len(s.rows), s.migratedAfter)
	}
	if r := s.rows[0]; r.last != epoch.Unix() || r.lastInsecure != epoch.Unix() {
		t.Errorf("a time after the latest: %+v", r)
	}
	if r := s.rows[1]; r.library != "" || len(r.days) != 1 || r.days[0].SecureConnections != 4 || fmt.Sprint(r.totals) != fmt.Sprint(tallies{{key{ofFailures, uint8(call.HandshakeOther), 0, 0}, 3}}) {
		t.Errorf("unknown words: %+v", r)
	}
}

func FuzzReadSnapshot(f *testing.F) {
	whole, err := os.ReadFile(filled(f, 3))
	if err != nil {
		f.Fatal(err)
	}
	_, body, _ := strings.Cut(string(whole), "\n")
	f.Add(whole, false)
	f.Add(whole[:len(whole)/2], false)
	f.Add([]byte(body), true)
	f.Add([]byte("{}\n"+`{"client":"a","configured":true,"declared_migrated":"2026-01-01T00:00:00Z"}`), true)
	f.Fuzz(func(t *testing.T, data []byte, sign bool) {
		if sign { // as a file whose checksum is right
			data = signed(string(data))
		}
		latest := epoch.Unix()
		s, err := readSnapshot(bytes.NewReader(data), latest)
		if err != nil {
			return
		}
		for _, r := range s.rows {
			if r.last > s.latest || r.first <= 0 || len(r.name) > maxName || len(r.library) > maxText || len(r.marks) > maxMarks*int(numMarkKinds) || len(r.days) > historyDays+1 {
				t.Fatalf("unbounded: %+v", r)
			}
			rec := encode(r, newPolicy(Settings{}))
			back, err := decode(&rec, s.latest)
			if err != nil || back.last != r.last || back.evidence != r.evidence || !slices.Equal(back.totals, r.totals) || !slices.Equal(back.days, r.days) {
				t.Fatalf("does not come back: %v", err)
			}
		}
	})
}
