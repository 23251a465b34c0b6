package redact

import (
	"encoding/base64"
	"strings"

	"tlslift/proxy/form"
)

// Kind is one way in which a request carries a secret that anyone on the
// client's side of tlslift can read. Its String is the label value "kind" of
// tlslift_client_credentials_exposed_total.
type Kind uint8

// The kinds.
const (
	KindQuery  Kind = iota // a password in the query
	KindBasic              // a client ID and secret in an Authorization header
	KindBearer             // a token in an Authorization header
	KindForm               // a password in a form
	KindSOAP               // a password element in an XML body
)

// AllKinds lists every kind.
var AllKinds = [...]Kind{KindQuery, KindBasic, KindBearer, KindForm, KindSOAP}

func (k Kind) String() string {
	return [...]string{KindQuery: "query", KindBasic: "basic", KindBearer: "bearer", KindForm: "form", KindSOAP: "soap"}[k]
}

// Kinds is a set of Kind.
type Kinds uint8

// Has reports whether k is in the set.
func (s Kinds) Has(k Kind) bool { return s&(1<<k) != 0 }

// MarshalText returns the words of the kinds, with spaces between them.
func (s Kinds) MarshalText() ([]byte, error) {
	var words []string
	for _, k := range AllKinds {
		if s.Has(k) {
			words = append(words, k.String())
		}
	}
	return []byte(strings.Join(words, " ")), nil
}

// UnmarshalText adds the kinds that the words name. It ignores other words.
func (s *Kinds) UnmarshalText(text []byte) error {
	for word := range strings.FieldsSeq(string(text)) {
		for _, k := range AllKinds {
			if k.String() == word {
				*s |= 1 << k
			}
		}
	}
	return nil
}

// Exposed reports which secrets a request carries. It takes the raw query, the value
// of the Authorization header, the Content-Type and the beginning of the body, and
// reads at most form.Prefix bytes of that. A name without a value is not a secret. It
// never returns what it read.
func Exposed(rawQuery, authorization, contentType string, body []byte) Kinds {
	var s Kinds
	if hasPassword(rawQuery) {
		s |= 1 << KindQuery
	}
	if authorization != "" {
		s |= authorizationKind(authorization)
	}
	if len(body) == 0 {
		return s
	}
	raw := view(body)
	switch form.Of(contentType) {
	case form.Urlencoded:
		if hasPassword(raw) {
			s |= 1 << KindForm
		}
	case form.Multipart:
		form.Parts(raw, form.Attribute(contentType, "boundary"), func(name, value string, _ bool) bool {
			if strings.EqualFold(name, "password") && value != "" {
				s |= 1 << KindForm
			}
			return !s.Has(KindForm)
		})
	case form.XML:
		if hasPasswordElement(raw) {
			s |= 1 << KindSOAP
		}
	}
	return s
}

func hasPassword(raw string) bool {
	found := false
	params(raw, "password", func(value string, _ bool) bool {
		found = value != ""
		return !found
	})
	return found
}

func hasPasswordElement(xml string) bool {
	for {
		name, rest := form.Element(xml)
		if name == "" {
			return false
		}
		if strings.EqualFold(name, "password") {
			if text, _ := form.Text(rest); text != "" {
				return true
			}
		}
		xml = rest
	}
}

// authorizationKind distinguishes a client ID and secret from a token. Clients in use
// omit the scheme, invent one ("key", "JWT"), or put brackets around the token.
func authorizationKind(value string) Kinds {
	scheme, rest, _ := strings.Cut(strings.Trim(value, " \t"), " ")
	switch {
	case strings.EqualFold(scheme, "Basic"):
		return kindIf(rest != "", KindBasic)
	case strings.EqualFold(scheme, "Digest"), strings.EqualFold(scheme, "NTLM"),
		strings.EqualFold(scheme, "Negotiate"):
		return 0 // it does not contain the secret itself
	case rest != "":
		return kindIf(true, KindBearer)
	case isUserPass(scheme):
		return kindIf(true, KindBasic)
	default:
		return kindIf(scheme != "" && !strings.EqualFold(scheme, "Bearer"), KindBearer)
	}
}

func kindIf(ok bool, k Kind) Kinds {
	if !ok {
		return 0
	}
	return 1 << k
}

// isUserPass reports whether s is the base64 of something with a colon.
func isUserPass(s string) bool {
	var decoded [96]byte
	s = strings.TrimRight(s, "=")
	s = s[:min(len(s), 128)] // a whole number of quanta: 96 bytes
	n, err := base64.RawStdEncoding.Decode(decoded[:], []byte(s))
	return err == nil && strings.IndexByte(string(decoded[:n]), ':') >= 0
}
