package call

import "fmt"

// The values of closed sets are passed between processes as words, because two
// versions may number them differently.

// MarshalText returns the word of a Kind.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// MarshalText returns the word of a Source.
func (r Source) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// MarshalText returns the word of an Ingress.
func (i Ingress) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// MarshalText returns the word of a Setting.
func (s Setting) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalText returns the word of a Version.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// MarshalText returns the word of a Handling.
func (h Handling) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// MarshalText returns the word of a HandshakeFailure.
func (f HandshakeFailure) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText sets the Kind that the word names.
func (k *Kind) UnmarshalText(word []byte) error { return parse(k, word, Kinds[:]) }

// UnmarshalText sets the Source that the word names.
func (r *Source) UnmarshalText(word []byte) error { return parse(r, word, Sources[:]) }

// UnmarshalText sets the Ingress that the word names.
func (i *Ingress) UnmarshalText(word []byte) error { return parse(i, word, Ingresses[:]) }

// UnmarshalText sets the Setting that the word names.
func (s *Setting) UnmarshalText(word []byte) error { return parse(s, word, Settings[:]) }

// UnmarshalText sets the Version that the word names.
func (v *Version) UnmarshalText(word []byte) error { return parse(v, word, Versions[:]) }

// UnmarshalText sets the Handling that the word names.
func (h *Handling) UnmarshalText(word []byte) error { return parse(h, word, Handlings[:]) }

// UnmarshalText sets the HandshakeFailure that the word names.
func (f *HandshakeFailure) UnmarshalText(word []byte) error {
	return parse(f, word, HandshakeFailures[:])
}

// parse stores the value of a word in a closed set. A word of a later version is
// unknown, and leaves the zero value.
func parse[T fmt.Stringer](to *T, word []byte, set []T) error {
	for _, v := range set {
		if v.String() == string(word) {
			*to = v
		}
	}
	return nil
}
