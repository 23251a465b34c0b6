package ledger

import (
	"fmt"
	"slices"
	"time"
)

// State is how a client stands (design, section 5).
type State uint8

// The states.
const (
	Unseen   State = iota // configured, never seen
	Insecure              // insecure within the last N days, nothing secure
	Mixed                 // both within the last N days
	Migrated              // secure within the last N days and nothing insecure; or declared and nothing insecure since
	Silent                // no call for N days, or it would be migrated but its handshakes fail now; not the same as migrated
	NoCalls               // seen, but never made a call: not a client to migrate
)

// States lists every state, most urgent first.
var States = [...]State{Insecure, Mixed, Silent, Unseen, Migrated, NoCalls}

var stateWords = [...]string{
	Unseen: "unseen", Insecure: "insecure", Mixed: "mixed", Migrated: "migrated", Silent: "silent",
	NoCalls: "no-calls",
}

func (s State) String() string {
	if int(s) < len(stateWords) {
		return stateWords[s]
	}
	return "unseen"
}

// MarshalText encodes a State as its word.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText decodes the word.
func (s *State) UnmarshalText(text []byte) error {
	i := slices.Index(stateWords[:], string(text))
	if i < 0 {
		return fmt.Errorf("unknown state %q", text)
	}
	*s = State(i)
	return nil
}

// Times are the times that a state is derived from, and the verdict; the zero time
// is never. The metrics export them too: a fleet's states follow from the newest
// of each over its instances. LastInsecure and LastSecure are times of calls.
type Times struct {
	FirstSeen    time.Time // with or without a call
	LastInsecure time.Time
	LastSecure   time.Time
	LastFailed   time.Time // a TLS handshake that failed because something is in the client's way, or that it left without a call because of a certificate
	LastCapable  time.Time // the newest evidence that it is capable
	Declared     time.Time // when its owner declared it migrated; zero = not declared

	Verdict Verdict
}

// StateAt returns the state at a time, with migratedAfter as the N of design,
// section 5. A declaration counts from its own time on: earlier insecure calls
// are forgiven, and silence does not undo it. It has no effect on a client that
// never made a call. A client that fails is not migrated.
func (s Times) StateAt(now time.Time, migratedAfter time.Duration) State {
	state := s.called(now, migratedAfter)
	if state == Migrated && s.FailingAt(now, migratedAfter) {
		return Silent
	}
	return state
}

// called returns the state that follows from the client's calls and
// declaration alone.
func (s Times) called(now time.Time, migratedAfter time.Duration) State {
	within := func(t time.Time) bool { return !t.IsZero() && now.Sub(t) < migratedAfter }
	called := !s.LastInsecure.IsZero() || !s.LastSecure.IsZero()
	if called && s.declaredAt(now) && !s.LastInsecure.After(s.Declared) {
		return Migrated
	}
	switch insecure, secure := within(s.LastInsecure), within(s.LastSecure); {
	case insecure && secure:
		return Mixed
	case insecure:
		return Insecure
	case secure:
		return Migrated
	case called:
		return Silent
	case s.FirstSeen.IsZero():
		return Unseen
	default:
		return NoCalls
	}
}

// RegressedAt reports whether a client that was declared migrated has been
// insecure since.
func (s Times) RegressedAt(now time.Time) bool {
	return s.declaredAt(now) && s.LastInsecure.After(s.Declared)
}

// MigratedBy returns why a client counts as migrated: "proof" if it would without
// its declaration, else "declaration". If the client is not migrated, it returns "".
func (s Times) MigratedBy(now time.Time, migratedAfter time.Duration) string {
	if s.StateAt(now, migratedAfter) != Migrated {
		return ""
	}
	s.Declared = time.Time{}
	if s.StateAt(now, migratedAfter) == Migrated {
		return "proof"
	}
	return "declaration"
}

// MisdeclaredAt reports whether a client was declared migrated but never seen making
// a call: its name may be misspelt. If its handshakes failed, the name is right.
func (s Times) MisdeclaredAt(now time.Time) bool {
	return s.declaredAt(now) && s.LastInsecure.IsZero() && s.LastSecure.IsZero() && s.LastFailed.IsZero()
}

func (s Times) declaredAt(now time.Time) bool {
	return !s.Declared.IsZero() && !now.Before(s.Declared)
}
