package admin

import (
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// gate bounds how many answers that cost much memory are given at a time, in
// all and to one peer. An answer counts until its last byte is written, since a
// caller that does not read holds it for as long.
type gate struct {
	most, mostOfPeer int

	mu    sync.Mutex
	now   int
	peers map[netip.Prefix]int
}

// The bounds. Two Prometheus servers and a person need three scrapes at a time.
const (
	maxScrapes        = 8
	maxScrapesOfPeer  = 4
	maxAnswers        = 4 // of the page and the API
	retryAfterSeconds = 1
	answerTime        = 10 * time.Second // for one of them: who reads slower is cut
)

func newGate(most, mostOfPeer int) *gate {
	return &gate{most: most, mostOfPeer: mostOfPeer, peers: make(map[netip.Prefix]int)}
}

// enter reports whether there is room for an answer to the peer. leave must
// follow when there is.
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

// bound answers 503 when there is no room for h's answer.
func (g *gate) bound(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer := peerOf(r.RemoteAddr)
		if !g.enter(peer) {
			w.Header().Set("Retry-After", strconv.Itoa(retryAfterSeconds))
			sentence(w, http.StatusServiceUnavailable, "Too many such answers are under way: try again in a second.")
			return
		}
		defer g.leave(peer)
		// Only a test's writer has no deadline.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
		h.ServeHTTP(w, r)
	})
}

// Bound is for handlers whose answers cost much memory: at most 4 of them all
// are under way at a time, and further requests get 503 with
// Retry-After.
func (a *Admin) Bound(h http.Handler) http.Handler { return a.answers.bound(h) }
