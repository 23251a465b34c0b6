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
	numKinds
)

// AllKinds lists every kind.
var AllKinds = [...]Kind{KindQuery, KindBasic, KindBearer, KindForm, KindSOAP}

func (k Kind) String() string {
	switch k {
	case KindQuery:
		return "query"
	case KindBasic:
		return "basic"
	case KindBearer:
		return "bearer"
	case KindForm:
		return "form"
	case KindSOAP:
		return "soap"
	default:
		return ""
	}
}

// Kinds is a set of Kind.
type Kinds uint8

// Has reports whether k is in the set.
func (s Kinds) Has(k Kind) bool { return k < numKinds && s&(1<<k) != 0 }

// Exposed says which secrets a request carries. It takes the raw query, the
// value of the Authorization header, the Content-Type and the beginning of
// the body, of which it looks at form.Prefix bytes. A name without a value is no
// secret. It never gives back what it saw.
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

// authorizationKind tells a client ID and secret from a token. Clients in use
// leave out the scheme word, invent one ("key", "JWT"), or put brackets
// around the token.
func authorizationKind(value string) Kinds {
	scheme, rest, _ := strings.Cut(strings.Trim(value, " \t"), " ")
	switch {
	case strings.EqualFold(scheme, "Basic"):
		return kindIf(rest != "", KindBasic)
	case strings.EqualFold(scheme, "Digest"), strings.EqualFold(scheme, "NTLM"),
		strings.EqualFold(scheme, "Negotiate"):
		return 0 // the secret itself is not in there
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
