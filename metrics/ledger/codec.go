package ledger

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

// maxRecord bounds one stored client, in bytes.
const maxRecord = 16 << 10

// record is a client as it is stored. Closed sets are stored as their words, so
// that a version with other numbers for them reads the same; unknown words are
// dropped.
type record struct {
	Source       string        `json:"source,omitempty"`
	First        int64         `json:"first"`
	Last         int64         `json:"last"`
	LastInsecure int64         `json:"last_insecure,omitempty"`
	LastSecure   int64         `json:"last_secure,omitempty"`
	LastLifted   int64         `json:"last_lifted,omitempty"`
	Evidence     []storedTime  `json:"evidence,omitempty"`
	Offered      string        `json:"offered,omitempty"`
	Library      string        `json:"library,omitempty"`
	OldLibrary   string        `json:"old_library,omitempty"`
	JA4          string        `json:"ja4,omitempty"`
	Family       string        `json:"family,omitempty"`
	Counts       []storedCount `json:"counts,omitempty"`
	Exposed      []storedTime  `json:"exposed,omitempty"`
	Hosts        []storedTime  `json:"hosts,omitempty"`
}

type storedCount struct {
	Of string `json:"of"`
	A  string `json:"a"`
	B  string `json:"b,omitempty"`
	N  uint64 `json:"n"`
}

type storedTime struct {
	Name string `json:"name"`
	N    uint64 `json:"n,omitempty"`
	Last int64  `json:"last"`
}

// encode is the stored form of a row, its days apart.
func encode(r *row) ([]byte, error) {
	rec := record{
		Source: r.source, First: r.first, Last: r.last,
		LastInsecure: r.lastInsecure, LastSecure: r.lastSecure, LastLifted: r.lastLifted,
		Offered: r.offered.String(), Library: r.library, OldLibrary: r.old, JA4: r.ja4, Family: r.family.String(),
	}
	for _, verdict := range Verdicts {
		if t := r.evidence[verdict]; t != 0 {
			rec.Evidence = append(rec.Evidence, storedTime{Name: verdict.String(), Last: t})
		}
	}
	for _, t := range r.tallies {
		a, b := t.words()
		rec.Counts = append(rec.Counts, storedCount{subjectWords[t.subject], a, b, t.n})
	}
	for i, e := range r.exposed {
		if e.count > 0 {
			rec.Exposed = append(rec.Exposed, storedTime{redact.AllKinds[i].String(), e.count, e.last})
		}
	}
	for _, h := range r.hosts {
		rec.Hosts = append(rec.Hosts, storedTime{h.name, h.count, h.last})
	}
	return json.Marshal(rec)
}

// decode reads what encode wrote, and bounds whatever else it is given: no
// field of a row can be made larger, later than latest or stranger than what
// was observed could make it.
func decode(name string, data []byte, latest int64) (*row, error) {
	if name == "" || name == OverflowName || len(name) > maxName || !printable(name) {
		return nil, errors.New("the client's name is not one")
	}
	if len(data) > maxRecord {
		return nil, fmt.Errorf("%d bytes are too many", len(data))
	}
	var rec record
	if err := json.Unmarshal(data, &rec); err != nil {
		return nil, fmt.Errorf("decoding: %w", err)
	}
	when := func(t int64) int64 { return min(max(t, 0), latest) }
	r := &row{
		name: strings.Clone(name), source: text(rec.Source), stored: true,
		first: when(rec.First), last: when(rec.Last),
		lastInsecure: when(rec.LastInsecure), lastSecure: when(rec.LastSecure), lastLifted: when(rec.LastLifted),
		library: text(rec.Library), old: text(rec.OldLibrary), ja4: text(rec.JA4), family: parseFamily(rec.Family),
	}
	r.offered, _ = parseVersion(rec.Offered)
	if r.first == 0 || r.last < r.first {
		return nil, errors.New("it was never seen")
	}
	r.decodeCounts(&rec, when)
	return r, nil
}

func (r *row) decodeCounts(rec *record, when func(int64) int64) {
	for _, e := range rec.Evidence {
		if v, err := ParseVerdict(e.Name); err == nil && v != NoVerdict {
			r.evidence[v] = when(e.Last)
		}
	}
	for _, c := range rec.Counts {
		if s, a, b, ok := parseTally(c.Of, c.A, c.B); ok {
			*r.tallies.at(s, a, b) = c.N
		}
	}
	for _, e := range rec.Exposed {
		i := slices.IndexFunc(redact.AllKinds[:], func(k redact.Kind) bool { return k.String() == e.Name })
		if i >= 0 {
			r.exposed[i] = exposed{e.N, when(e.Last)}
		}
	}
	for _, h := range rec.Hosts {
		if len(r.hosts) < maxHosts && h.Name != "" {
			r.hosts = append(r.hosts, hostCount{text(h.Name), h.N, when(h.Last)})
		}
	}
}

// dayKey orders the daily counts by day first, so that one write touches few
// pages and old days lie together.
func dayKey(number int32, name string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(number)), name...)
}

func parseDayKey(key []byte) (number int32, name string, ok bool) {
	if len(key) <= 4 || len(key) > 4+maxName {
		return 0, "", false
	}
	n := binary.BigEndian.Uint32(key)
	return int32(n), string(key[4:]), n < 1<<31
}

func encodeDay(c DayCounts) []byte {
	b := make([]byte, 0, 4*binary.MaxVarintLen32)
	for _, n := range [...]uint32{c.InsecureRequests, c.SecureRequests, c.InsecureConnections, c.SecureConnections} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

func decodeDay(b []byte) (DayCounts, bool) {
	var n [4]uint32
	for i := range n {
		v, used := binary.Uvarint(b)
		if used <= 0 || v > 1<<32-1 {
			return DayCounts{}, false
		}
		n[i], b = uint32(v), b[used:]
	}
	return DayCounts{n[0], n[1], n[2], n[3]}, true
}

func parseVersion(word string) (call.Version, bool) {
	i := slices.IndexFunc(call.Versions[:], func(v call.Version) bool { return v.String() == word })
	return call.Version(max(i, 0)), i >= 0
}

func parseIngress(word string) call.Ingress {
	for _, i := range call.Ingresses {
		if i.String() == word {
			return i
		}
	}
	return call.Unknown
}

// text bounds a stored text and empties one that is not printable.
func text(s string) string {
	if !printable(s) {
		return ""
	}
	return clip(s, maxText)
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) })
}
