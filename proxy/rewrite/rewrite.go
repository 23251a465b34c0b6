// Package rewrite changes what must change in a message on its way through
// tlslift: hop-by-hop fields and Via in both directions, and, in an answer to
// a client that sees http, whatever would lead it back to https, which it
// cannot speak (design, section 3). Bodies are not its business, and every
// byte that need not change stays.
//
// Headers are taken as net/http makes them, with canonical keys, and changed
// in place. The package is pure; a message that needs no change costs no
// allocation.
package rewrite

import (
	"net/http"

	"tlslift/proxy/host"
)

// Kind is one sort of rewriting. Its String is the label value "kind" of
// tlslift_rewrites_total.
type Kind uint8

// The kinds.
const (
	Location Kind = iota
	ContentLocation
	Refresh
	Link
	Cookie
	HSTS
	AltSvc
	CSP
	numKinds
)

// Kinds lists every kind.
var Kinds = [...]Kind{Location, ContentLocation, Refresh, Link, Cookie, HSTS, AltSvc, CSP}

func (k Kind) String() string {
	switch k {
	case Location:
		return "location"
	case ContentLocation:
		return "content_location"
	case Refresh:
		return "refresh"
	case Link:
		return "link"
	case Cookie:
		return "cookie"
	case HSTS:
		return "hsts"
	case AltSvc:
		return "alt_svc"
	case CSP:
		return "csp"
	default:
		return ""
	}
}

// Options says what is rewritten; the zero value nothing.
type Options struct {
	Location bool // Location, Content-Location, Refresh and Link
	Cookies  bool // Secure and SameSite=None of Set-Cookie
	HSTS     bool // Strict-Transport-Security, Alt-Svc, and upgrade-insecure-requests of a CSP
}

// Response changes the header of an answer for a client that sees http.
// upgraded reports whether http requests to a host are upgraded here. count is
// called once for each field value that changed or
// went; it may be nil.
func Response(h http.Header, o Options, upgraded func(host.Name) bool, count func(Kind)) {
	c := changer{upgraded: upgraded, count: count}
	if o.Location {
		c.each(h["Location"], Location, c.url)
		c.each(h["Content-Location"], ContentLocation, c.url)
		c.each(h["Refresh"], Refresh, c.refresh)
		c.each(h["Link"], Link, c.link)
	}
	if o.Cookies {
		c.each(h["Set-Cookie"], Cookie, cookie)
	}
	if o.HSTS {
		c.drop(h, "Strict-Transport-Security", HSTS)
		c.drop(h, "Alt-Svc", AltSvc)
		c.policies(h, "Content-Security-Policy")
		c.policies(h, "Content-Security-Policy-Report-Only")
	}
}

type changer struct {
	upgraded func(host.Name) bool
	count    func(Kind)
}

func (c *changer) counted(k Kind) {
	if c.count != nil {
		c.count(k)
	}
}

// each puts every value of a field through change.
func (c *changer) each(values []string, k Kind, change func(string) (string, bool)) {
	for i, v := range values {
		if changed, ok := change(v); ok {
			values[i] = changed
			c.counted(k)
		}
	}
}

// drop removes a field.
func (c *changer) drop(h http.Header, key string, k Kind) {
	if values, ok := h[key]; ok {
		for range values {
			c.counted(k)
		}
		delete(h, key)
	}
}
