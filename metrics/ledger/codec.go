package ledger

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"tlslift/proxy/arrival"
	"tlslift/proxy/redact"
)

// maxRecord bounds one stored client, in bytes.
const maxRecord = 16 << 10

// record is a client as it is stored. Closed sets are stored as their words, so
// that a version with other numbers for them reads the same; unknown words are
// dropped.
type record struct {
	Source       string            `json:"source,omitempty"`
	First        int64             `json:"first"`
	Last         int64             `json:"last"`
	LastInsecure int64             `json:"last_insecure,omitempty"`
	LastSecure   int64             `json:"last_secure,omitempty"`
	LastLifted   int64             `json:"last_lifted,omitempty"`
	Evidence     map[string]int64  `json:"evidence,omitempty"`
	Offered      string            `json:"offered,omitempty"`
	Library      string            `json:"library,omitempty"`
	OldLibrary   string            `json:"old_library,omitempty"`
	JA4          string            `json:"ja4,omitempty"`
	Family       string            `json:"family,omitempty"`
	Families     map[string]uint64 `json:"families,omitempty"`
	Requests     []RequestCount    `json:"requests,omitempty"`
	Connections  []ConnectionCount `json:"connections,omitempty"`
	Hellos       map[string]uint64 `json:"hellos,omitempty"`
	Failures     map[string]uint64 `json:"failures,omitempty"`
	Exposed      map[string]stored `json:"exposed,omitempty"`
	Hosts        map[string]stored `json:"hosts,omitempty"`
}

type stored struct {
	Count uint64 `json:"n"`
	Last  int64  `json:"last"`
}

// encode is the stored form of a row, its days apart.
func encode(r *row) ([]byte, error) {
	var v Row
	r.viewCounts(&v)
	rec := record{
		Source: r.source, First: r.first, Last: r.last,
		LastInsecure: r.lastInsecure, LastSecure: r.lastSecure, LastLifted: r.lastLifted,
		Offered: r.offered.String(), Library: r.library, OldLibrary: r.old, JA4: r.ja4,
		Family: r.family.String(), Families: v.UserAgents,
		Requests: v.Requests, Connections: v.Connections, Hellos: v.Hellos, Failures: v.Failures,
		Evidence: make(map[string]int64), Exposed: make(map[string]stored), Hosts: make(map[string]stored),
	}
	for _, verdict := range Verdicts {
		if t := r.evidence[verdict]; t != 0 {
			rec.Evidence[verdict.String()] = t
		}
	}
	for i, e := range r.exposed {
		if e.count > 0 {
			rec.Exposed[redact.AllKinds[i].String()] = stored{e.count, e.last}
		}
	}
	for _, h := range r.hosts {
		rec.Hosts[h.name] = stored{h.count, h.last}
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
	for _, verdict := range Verdicts {
		r.evidence[verdict] = when(rec.Evidence[verdict.String()])
	}
	r.decodeCounts(&rec, when)
	return r, nil
}

func (r *row) decodeCounts(rec *record, when func(int64) int64) {
	for _, c := range rec.Requests {
		if v, ok := parseVersion(c.TLSVersion); ok {
			r.requests[ingressIndex(parseIngress(c.Ingress))][v] = c.Count
		}
	}
	for _, c := range rec.Connections {
		v, ok := parseVersion(c.TLSVersion)
		if h := slices.IndexFunc(arrival.Handlings[:], func(h arrival.Handling) bool { return h.String() == c.Handling }); ok && h >= 0 {
			r.connections[h][v] = c.Count
		}
	}
	for i := range r.hellos {
		r.hellos[i] = rec.Hellos[arrival.Version(i).String()]
	}
	for i := range r.failures {
		r.failures[i] = rec.Failures[FailureReasons[i]]
	}
	for i := range r.families {
		r.families[i] = uint32(min(rec.Families[Family(i).String()], 1<<32-1))
	}
	for i, kind := range redact.AllKinds {
		e := rec.Exposed[kind.String()]
		r.exposed[i] = exposed{e.Count, when(e.Last)}
	}
	for name, h := range rec.Hosts {
		if len(r.hosts) < maxHosts && name != "" {
			r.hosts = append(r.hosts, hostCount{text(name), h.Count, when(h.Last)})
		}
	}
	slices.SortFunc(r.hosts, func(a, b hostCount) int { return strings.Compare(a.name, b.name) })
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

func parseVersion(word string) (arrival.Version, bool) {
	i := slices.IndexFunc(arrival.Versions[:], func(v arrival.Version) bool { return v.String() == word })
	return arrival.Version(max(i, 0)), i >= 0
}

func parseIngress(word string) arrival.Ingress {
	for _, i := range arrival.Ingresses {
		if i.String() == word {
			return i
		}
	}
	return arrival.Unknown
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
