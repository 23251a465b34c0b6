package admin

import (
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// gate limits how many memory-hungry answers are in flight at a time, in total
// and per peer. An answer counts until its last byte is written, because a caller
// that does not read holds its memory until then.
type gate struct {
	most, mostOfPeer int

	mu    sync.Mutex
	now   int
	peers map[netip.Prefix]int
}

// The limits. Two Prometheus servers and a person need three scrapes at a time.
const (
	maxScrapes        = 8
	maxScrapesOfPeer  = 4
	maxAnswers        = 4 // for the page and the API
	retryAfterSeconds = 1
	answerTime        = 10 * time.Second // for one of them; a slower reader is cut off
)

func newGate(most, mostOfPeer int) *gate {
	return &gate{most: most, mostOfPeer: mostOfPeer, peers: make(map[netip.Prefix]int)}
}

// enter reports whether there is room for an answer to the peer. If so, the
// caller must call leave.
func (g *gate) enter(peer netip.Prefix) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now >= g.most || g.peers[peer] >= g.mostOfPeer {
		return false
	}
	g.now++
	g.peers[peer]++
	return true
}

func (g *gate) leave(peer netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now--
	if g.peers[peer]--; g.peers[peer] == 0 {
		delete(g.peers, peer)
	}
}

// bound wraps h, and answers 503 if there is no room for its answer.
func (g *gate) bound(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer := peerOf(r.RemoteAddr)
		if !g.enter(peer) {
			w.Header().Set("Retry-After", strconv.Itoa(retryAfterSeconds))
			sentence(w, http.StatusServiceUnavailable, "Too many such answers are under way: try again in a second.")
			return
		}
		defer g.leave(peer)
		// Only the writer of a test does not support deadlines.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
		h.ServeHTTP(w, r)
	})
}

// Bound wraps a handler whose answers take much memory. At most 4 such answers
// are in flight at a time; further requests get 503 with Retry-After.
func (a *Admin) Bound(h http.Handler) http.Handler { return a.answers.bound(h) }
