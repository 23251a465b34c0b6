package ledger

import (
	"fmt"

	"tlslift/docs/fixes"
)

// Verdict says what keeps a client from speaking TLS 1.2 by itself.
type Verdict uint8

// The verdicts, in order of precedence: if several hold, the first one here wins.
// What keeps a client out altogether comes before what merely makes it insecure,
// and what is harder to change comes before what is easier.
const (
	NoVerdict         Verdict = iota // not seen yet
	ShutOut                          // offers only what nothing accepts any more: it is down
	DistrustsCA                      // rejects tlslift's CA, so it cannot be terminated
	DistrustsUpstream                // rejects SMSPortal's certificate
	NoSharedCipher                   // offers 1.2 but no suite that the upstream has
	NoServerName                     // offers 1.2, names no server, and nothing here answers such callers
	SSLv2Framed                      // sends its hello in SSLv2 framing
	LegacyOnly                       // offers at most TLS 1.1
	NamesWrongHost                   // its hello does not name the API host that it calls
	Capable                          // offers TLS 1.2 or later: needs no proxy
	Plaintext                        // speaks plain HTTP; its TLS is unknown
)

// Verdicts lists every verdict, highest precedence first.
var Verdicts = [...]Verdict{
	ShutOut, DistrustsCA, DistrustsUpstream, NoSharedCipher, NoServerName, SSLv2Framed, LegacyOnly, NamesWrongHost, Capable, Plaintext,
}

var obstacles = [...]fixes.Obstacle{
	NoVerdict: "", ShutOut: fixes.ShutOut, DistrustsCA: fixes.DistrustsCA, DistrustsUpstream: fixes.DistrustsUpstream,
	NoSharedCipher: fixes.NoSharedCipher, NoServerName: fixes.NoServerName, SSLv2Framed: fixes.SSLv2Framed,
	LegacyOnly: fixes.LegacyOnly, NamesWrongHost: fixes.NamesWrongHost, Capable: fixes.Capable, Plaintext: fixes.Plaintext,
}

// Obstacle returns the obstacle to give advice about, or "" for NoVerdict.
func (v Verdict) Obstacle() fixes.Obstacle {
	if int(v) < len(obstacles) {
		return obstacles[v]
	}
	return ""
}

// String returns the value of the metrics label "verdict", or "" for NoVerdict.
func (v Verdict) String() string { return string(v.Obstacle()) }

// ParseVerdict is the inverse of String.
func ParseVerdict(word string) (Verdict, error) {
	for v, o := range obstacles {
		if string(o) == word {
			return Verdict(v), nil
		}
	}
	return NoVerdict, fmt.Errorf("verdict %q is not known", word)
}

// MarshalText encodes a Verdict as its word.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText decodes the word.
func (v *Verdict) UnmarshalText(text []byte) (err error) {
	*v, err = ParseVerdict(string(text))
	return err
}

// aboutHello says which of a client's hellos a verdict is about.
type aboutHello uint8

const (
	modernHello aboutHello = iota // one that offers TLS 1.2
	oldHello                      // one that does not
	framedHello                   // one in SSLv2 framing
	anyHello                      // there may not have been one
)

func (v Verdict) about() aboutHello {
	switch v {
	case Plaintext:
		return anyHello
	case SSLv2Framed:
		return framedHello
	case LegacyOnly, DistrustsCA, ShutOut:
		return oldHello
	default:
		return modernHello
	}
}

// SameHello reports whether two verdicts are about the same kind of hello. If so,
// the TLS library named with one fits the other.
func (v Verdict) SameHello(other Verdict) bool { return v.about() == other.about() }
