package handover

import "encoding/json"

// State is what the new process gets.
type State struct {
	PID        int      `json:"pid"`         // of the old process
	Sockets    []Socket `json:"sockets"`     // in the order of the descriptors
	AccountKey []byte   `json:"account_key"` // hashes accounts
	Server     []byte   `json:"server"`      // secrets of the proxy, in its own form
}

// Socket describes one listening socket.
type Socket struct {
	Address string `json:"address"` // as configured
	Managed bool   `json:"managed"` // a service manager opened it
}

// message is what either side says.
type message struct {
	State   *State          `json:"state,omitempty"`
	Kind    string          `json:"word,omitempty"`
	Outcome json.RawMessage `json:"outcome,omitempty"`

	LinesLost uint64 `json:"lines_lost,omitempty"` // with done
}

// The words.
const (
	wordReady   = "ready"
	wordGo      = "go"
	wordServing = "serving"
	wordEnding  = "ending"
	wordDone    = "done"
)
