package handover

import "encoding/json"

// State is what the new process receives first.
type State struct {
	PID        int      `json:"pid"`         // of the old process
	Sockets    []Socket `json:"sockets"`     // in the order of the descriptors
	AccountKey []byte   `json:"account_key"` // key for hashing account names
	Server     []byte   `json:"server"`      // secrets of the proxy, in the proxy's own encoding
}

// Socket describes one listening socket.
type Socket struct {
	Address string `json:"address"` // as configured
	Managed bool   `json:"managed"` // a service manager opened it
}

// message is a message in either direction.
type message struct {
	State   *State          `json:"state,omitempty"`
	Kind    string          `json:"word,omitempty"`
	Outcome json.RawMessage `json:"outcome,omitempty"`

	LinesLost uint64 `json:"lines_lost,omitempty"` // for wordDone
}

// The kinds of messages.
const (
	wordReady   = "ready"
	wordGo      = "go"
	wordServing = "serving"
	wordEnding  = "ending"
	wordDone    = "done"
)
