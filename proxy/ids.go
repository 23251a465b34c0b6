package proxy

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync/atomic"
)

// idSource makes request ids: a random prefix of the process and a count.
type idSource struct {
	prefix string
	count  *atomic.Uint64
}

func newIDSource() idSource {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return idSource{prefix: hex.EncodeToString(b[:]), count: new(atomic.Uint64)}
}

func (s idSource) next() string {
	var b [32]byte
	out := append(b[:0], s.prefix...)
	out = append(out, '-')
	out = strconv.AppendUint(out, s.count.Add(1), 36)
	return string(out)
}
