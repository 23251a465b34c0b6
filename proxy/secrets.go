package proxy

import (
	"encoding/json"

	"tlslift/proxy/legacy"
)

// secrets are what the next process needs to go on with the sessions of this
// one.
type secrets struct {
	Tickets legacy.TicketKeys `json:"tickets"`
}

// Secrets are what the process that takes this one's place is to be given.
func (s *Server) Secrets() []byte {
	var out secrets
	if s.tickets != nil {
		out.Tickets = s.tickets.Keys()
	}
	text, _ := json.Marshal(out)
	return text
}

// inheritedTickets are the ticket keys of the process whose place this one
// takes; none if there is no such process.
func (s *Server) inheritedTickets() legacy.TicketKeys {
	var in secrets
	_ = json.Unmarshal(s.secrets, &in)
	s.secrets = nil
	return in.Tickets
}
