package proxy

import (
	"encoding/json"

	"tlslift/proxy/legacy"
	"tlslift/proxy/upstream/names"
)

// secrets are what the next process needs to resume this one's TLS sessions, and what
// this one has learnt about the upstreams.
type secrets struct {
	Tickets legacy.TicketKeys `json:"tickets"`
	Known   []names.Sighting  `json:"known"`
}

// Secrets returns what the process that replaces this one needs.
func (s *Server) Secrets() []byte {
	out := secrets{Known: s.transport.Known.All()}
	if s.tickets != nil {
		out.Tickets = s.tickets.Keys()
	}
	text, _ := json.Marshal(out)
	return text
}

// inherit reads the secrets of the process that this one replaces. Without one they
// are empty.
func inherit(text []byte) (in secrets) {
	_ = json.Unmarshal(text, &in)
	return in
}
