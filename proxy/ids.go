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
// of traceparent (W3C Trace Context, section 3.2.2.3). An id is logged only if it is
// a plain token with a letter, so that it cannot be a phone number.
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

func plainID(s string) bool {
	letter := false
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
			letter = true
		case '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return letter && len(s) <= maxCallerID
}
