package proxy

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// idSource makes the IDs of requests and connections: a random prefix for the
// process, and a counter.
type idSource struct {
	prefix string
	count  *atomic.Uint64
}

func newIDSource() idSource {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return idSource{prefix: hex.EncodeToString(b[:]), count: new(atomic.Uint64)}
}

func (s idSource) next() string { return s.text(s.number()) }

// number returns a number that no other request or connection of the process has.
func (s idSource) number() uint64 { return s.count.Add(1) }

// text formats a number as an ID.
func (s idSource) text(number uint64) string {
	var b [32]byte
	out := append(b[:0], s.prefix...)
	out = append(out, '-')
	out = strconv.AppendUint(out, number, 36)
	return string(out)
}

// maxCallerID is the length limit for a caller's ID that is logged, in bytes.
const maxCallerID = 64

// callerID returns the ID that a caller gave its request: X-Request-Id, else the
// trace-id of traceparent (W3C Trace Context, section 3.2.2.3). It returns "" if
// neither may be logged.
func callerID(h http.Header) string {
	if id := first(h, "X-Request-Id"); plainID(id) {
		return id
	}
	_, rest, _ := strings.Cut(first(h, "Traceparent"), "-")
	if id, _, ok := strings.Cut(rest, "-"); ok && len(id) == 32 && plainID(id) {
		return id
	}
	return ""
}

// plainID reports whether an ID is a plain token that contains no phone number or
// account. Seven digits count as one, as in a path (package redact), except in 32
// hexadecimal digits with at least one letter: a UUID or a trace-id.
func plainID(s string) bool {
	var digits, hexLetters, others int
	for _, c := range []byte(s) {
		switch {
		case '0' <= c && c <= '9':
			digits++
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			hexLetters++
		case 'f' < c|0x20 && c|0x20 <= 'z', c == '_', c == '.':
			others++
		case c == '-':
		default:
			return false
		}
	}
	hexadecimal := others == 0 && hexLetters > 0 && digits+hexLetters == 32
	return s != "" && len(s) <= maxCallerID && (digits < 7 || hexadecimal)
}
