package ledger

import (
	"fmt"
	"slices"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

// subject is what a tally counts.
type subject uint8

// Subjects of a row's totals, which the file stores.
const (
	ofRequests    subject = iota // by way in and TLS version
	ofConnections                // by handling and TLS version
	ofHellos                     // by highest version offered
	ofFailures                   // by reason
	ofRefusals                   // refused calls, by problem.Reason
	numTotals
)

// Subjects of a client's series, which start with the process.
const (
	seriesRequests    = numTotals + iota // by upstream and TLS version
	seriesConnections                    // by way in, TLS version and handling
	seriesHellos                         // by highest version offered, framing and SNI
	seriesFailures                       // by reason
	seriesExposed                        // by kind of secret, and how it was protected
	seriesUpgrades                       // by TLS version
	numSubjects
)

var subjectWords = [numTotals]string{
	ofRequests: "requests", ofConnections: "connections", ofHellos: "hellos", ofFailures: "failures", ofRefusals: "refusals",
}

// key is one combination of values from a subject's closed sets, as numbers.
type key struct {
	subject subject
	a, b, c uint8
}

// tally counts one combination. A client shows a handful of more than a hundred,
// so a row keeps a short list rather than tables of zeros.
type tally struct {
	key
	n uint64
}

type tallies []tally

// count adds to one combination.
func (t *tallies) count(k key) { *t.at(k)++ }

// at returns the count of one combination, and adds it if needed.
func (t *tallies) at(k key) *uint64 {
	for i := range *t {
		if e := &(*t)[i]; e.key == k {
			return &e.n
		}
	}
	*t = append(*t, tally{key: k})
	return &(*t)[len(*t)-1].n
}

// total returns the sum over one value of a subject's first set.
func (t tallies) total(s subject, a uint8) (n uint64) {
	for _, e := range t {
		if e.subject == s && e.a == a {
			n += e.n
		}
	}
	return n
}

// sorted returns a copy in the order of the sets.
func (t tallies) sorted() tallies {
	c := slices.Clone(t)
	number := func(k key) int { return int(k.subject)<<24 | int(k.a)<<16 | int(k.b)<<8 | int(k.c) }
	slices.SortFunc(c, func(x, y tally) int { return number(x.key) - number(y.key) })
	return c
}

// words returns the two values of a total as words. The second is "" if the
// subject has only one set.
func (k key) words() (a, b string) {
	switch k.subject {
	case ofRequests:
		return call.Ingress(k.a).String(), call.Version(k.b).String()
	case ofConnections:
		return call.Handling(k.a).String(), call.Version(k.b).String()
	case ofHellos:
		return call.Version(k.a).String(), ""
	case ofRefusals:
		return problem.Reason(k.a).String(), ""
	default:
		return call.HandshakeFailure(k.a).String(), ""
	}
}

// parseTotal returns the key of the total that words name.
func parseTotal(of, a, b string) (k key, ok bool) {
	k.subject = subject(slices.Index(subjectWords[:], of)) // 255 if it is unknown
	version, known := find(call.Versions[:], b)
	switch k.subject {
	case ofRequests:
		ingress, _ := find(call.Ingresses[:], a)
		k.a, k.b, ok = uint8(ingress), uint8(version), known
	case ofConnections:
		handling, found := find(call.Handlings[:], a)
		k.a, k.b, ok = uint8(handling), uint8(version), known && found
	case ofHellos:
		version, ok = find(call.Versions[:], a)
		k.a = uint8(version)
	case ofFailures:
		failure, _ := call.ParseHandshakeFailure(a)
		k.a, ok = uint8(failure), true
	case ofRefusals:
		var reason problem.Reason
		reason, ok = find(problem.DeniedReasons[:], a)
		k.a = uint8(reason)
	}
	return k, ok
}

// find returns the value of a closed set whose word is given.
func find[T fmt.Stringer](set []T, word string) (v T, ok bool) {
	i := slices.IndexFunc(set, func(v T) bool { return v.String() == word })
	if i < 0 {
		return v, false
	}
	return set[i], true
}
