package ledger

import (
	"slices"

	"tlslift/proxy/call"
)

// subject is what a tally counts.
type subject uint8

const (
	ofRequests    subject = iota // by way in and TLS version
	ofConnections                // by handling and TLS version
	ofHellos                     // by highest version offered
	ofFailures                   // by reason
	ofFamilies                   // of User-Agents
	numSubjects
)

var subjectWords = [numSubjects]string{
	ofRequests: "requests", ofConnections: "connections", ofHellos: "hellos", ofFailures: "failures", ofFamilies: "families",
}

// tally counts one combination of closed sets. A client shows a handful of the
// hundred and more that there are, so a row keeps a short list instead of tables
// of zeroes.
type tally struct {
	subject subject
	a, b    uint8
	n       uint64
}

type tallies []tally

// count adds to one combination.
func (t *tallies) count(s subject, a, b uint8) { *t.at(s, a, b)++ }

// at finds or makes the place of one combination.
func (t *tallies) at(s subject, a, b uint8) *uint64 {
	for i := range *t {
		if e := &(*t)[i]; e.subject == s && e.a == a && e.b == b {
			return &e.n
		}
	}
	*t = append(*t, tally{subject: s, a: a, b: b})
	return &(*t)[len(*t)-1].n
}

// total is the sum over one set's value.
func (t tallies) total(s subject, a uint8) (n uint64) {
	for _, e := range t {
		if e.subject == s && e.a == a {
			n += e.n
		}
	}
	return n
}

// sorted is a copy in the order of the sets.
func (t tallies) sorted() tallies {
	c := slices.Clone(t)
	slices.SortFunc(c, func(x, y tally) int {
		if x.subject != y.subject {
			return int(x.subject) - int(y.subject)
		}
		return int(x.a)<<8 + int(x.b) - int(y.a)<<8 - int(y.b)
	})
	return c
}

// words are the two values of a tally in its sets' own words; the second is ""
// where there is one set only.
func (t tally) words() (a, b string) {
	switch t.subject {
	case ofRequests:
		return call.Ingress(t.a).String(), call.Version(t.b).String()
	case ofConnections:
		return call.Handling(t.a).String(), call.Version(t.b).String()
	case ofHellos:
		return call.Version(t.a).String(), ""
	case ofFailures:
		return FailureReasons[t.a], ""
	default:
		return Family(t.a).String(), ""
	}
}

// parseTally finds the combination that words name.
func parseTally(of, a, b string) (s subject, x, y uint8, ok bool) {
	i := slices.Index(subjectWords[:], of)
	if i < 0 {
		return 0, 0, 0, false
	}
	s, ok = subject(i), true
	var version call.Version
	switch s {
	case ofRequests:
		x = uint8(parseIngress(a))
		version, ok = parseVersion(b)
	case ofConnections:
		h := slices.IndexFunc(call.Handlings[:], func(h call.Handling) bool { return h.String() == a })
		x = uint8(max(h, 0))
		version, ok = parseVersion(b)
		ok = ok && h >= 0
	case ofHellos:
		version, ok = parseVersion(a)
		return s, uint8(version), 0, ok
	case ofFailures:
		x = failureIndex(a)
	case ofFamilies:
		x = uint8(parseFamily(a))
	}
	return s, x, uint8(version), ok
}
