package handover

import (
	"encoding/json"

	"tlslift/proxy/call"
)

// Encode returns the encoded form of o. It shares no memory with o.
func Encode(o *call.Outcome) json.RawMessage {
	text, _ := json.Marshal(o) // cannot fail: it holds only words, strings, numbers and times
	return text
}

// Decode is the inverse of Encode.
func Decode(text json.RawMessage) (*call.Outcome, error) {
	o := new(call.Outcome)
	err := json.Unmarshal(text, o)
	return o, err
}
