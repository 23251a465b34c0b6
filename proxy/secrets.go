package proxy

import (
	"encoding/json"

	"tlslift/proxy/legacy"
	"tlslift/proxy/upstream/names"
)

// secrets are what the next process needs to go on with the sessions of this
// one, and with what it has learnt of the upstreams.
type secrets struct {
	Tickets legacy.TicketKeys `json:"tickets"`
	Known   []names.Sighting  `json:"known"`
}

// Secrets are what the process that takes this one's place is to be given.
func (s *Server) Secrets() []byte {
	out := secrets{Known: s.transport.Known.All()}
	if s.tickets != nil {
		out.Tickets = s.tickets.Keys()
	}
	text, _ := json.Marshal(out)
	return text
}

// inherit reads the secrets of the process whose place this one takes; of none
// they are empty.
func inherit(text []byte) (in secrets) {
	_ = json.Unmarshal(text, &in)
	return in
}
