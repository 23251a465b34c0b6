package ledger

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tlslift/proxy/call"
)

func FuzzDecode(f *testing.F) {
	l := New(Options{Clock: newTestClock(epoch).now})
	c := addr("a")
	l.Hello(c, HelloObs{Ours: true, Offered: call.Version10, SSLv2Framed: true, Library: "x"})
	l.Request(c, plain("h"))
	r, _ := l.copyOf("a")
	data, err := encode(&r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("a", data)
	f.Add("b", []byte(`{"first":1,"last":9999999999999,"counts":[{"of":"requests","a":"x","b":"9","n":1},{"of":"hellos","a":"1.0","n":2}]}`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		const latest = 2_000_000_000
		r, err := decode(name, data, latest)
		if err != nil {
			return
		}
		if r.last > latest || r.first <= 0 || len(r.name) > maxName || len(r.library) > maxText || len(r.hosts) > maxHosts {
			t.Fatalf("unbounded: %+v", r)
		}
		again, err := encode(r)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := decode(name, again, latest); err != nil || back.last != r.last || back.evidence != r.evidence || !slices.Equal(back.tallies, r.tallies) {
			t.Fatalf("does not come back: %v", err)
		}
	})
}

func FuzzDecodeDay(f *testing.F) {
	f.Add(dayKey(20000, "a"), encodeDay(DayCounts{1, 2, 3, 1<<32 - 1}))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if number, name, ok := parseDayKey(key); ok && (number < 0 || name == "" || string(dayKey(number, name)) != string(key)) {
			t.Fatalf("key %x: day %d of %q", key, number, name)
		}
		if c, ok := decodeDay(value); ok {
			if back, ok := decodeDay(encodeDay(c)); !ok || back != c {
				t.Fatalf("%+v does not come back", c)
			}
		}
	})
}

// FuzzSound patches a sound file; the walker must end and never panic.
func FuzzSound(f *testing.F) {
	whole, err := os.ReadFile(filled(f, 60))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(0), []byte("x"))
	f.Add(uint32(4096+16), []byte{1, 0, 0, 0, 0xFF})
	f.Add(uint32(3*4096+8), []byte{1, 0, 0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		data := append([]byte(nil), whole...)
		copy(data[int(at)%len(data):], patch)
		path := filepath.Join(t.TempDir(), "f.db")
		write(t, path, data)
		_ = sound(path)
	})
}
