package proxy

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// idSource makes the ids of requests and connections: a random prefix of the process
// and a count.
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

// number is one that no other request or connection of the process has.
func (s idSource) number() uint64 { return s.count.Add(1) }

// text is a number as an id.
func (s idSource) text(number uint64) string {
	var b [32]byte
	out := append(b[:0], s.prefix...)
	out = append(out, '-')
	out = strconv.AppendUint(out, number, 36)
	return string(out)
}

// maxCallerID bounds the id of a caller's that is logged, in bytes.
const maxCallerID = 64

// callerID is the id that a caller gave its request: X-Request-Id, else the trace-id
// of traceparent (W3C Trace Context, section 3.2.2.3); "" if it may not be logged.
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

// plainID reports whether an id is a plain token that holds no phone number and no
// account. A seventh digit makes it one, as in a path (package redact), except in 32
// hexadecimal digits with a letter among them: a UUID or a trace-id.
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
