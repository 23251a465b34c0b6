// Package rewrite changes what must change in a message on its way through tlslift:
// hop-by-hop fields and Via in both directions. In an answer, it also changes
// whatever would lead the caller where it cannot go: back to https, which it cannot
// speak, or to a host that it knows only by a base URL (design, section 3). Every
// other byte stays the same.
//
// Headers have canonical keys, as net/http makes them, and are changed in place. The
// package is pure. A header that needs no change costs no allocation.
package rewrite

import (
	"net/http"

	"tlslift/proxy/host"
)

// Kind is a kind of rewriting. Its String is the label value "kind" of
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
	WSDL        // a WSDL or XML schema whose addresses changed
	WSDLSkipped // one that could not be rewritten
)

// Kinds lists every kind.
var Kinds = [...]Kind{Location, ContentLocation, Refresh, Link, Cookie, HSTS, AltSvc, CSP, WSDL, WSDLSkipped}

func (k Kind) String() string {
	return [...]string{
		Location: "location", ContentLocation: "content_location", Refresh: "refresh", Link: "link",
		Cookie: "cookie", HSTS: "hsts", AltSvc: "alt_svc", CSP: "csp", WSDL: "wsdl", WSDLSkipped: "wsdl_skipped",
	}[k]
}

// Options selects what is rewritten. The zero value selects nothing.
type Options struct {
	Location bool // Location, Content-Location, Refresh and Link
	Cookies  bool // Secure, SameSite=None, Domain and Path of Set-Cookie
	HSTS     bool // Strict-Transport-Security, Alt-Svc, and upgrade-insecure-requests of a CSP
	WSDL     bool // addresses in WSDL and XML schema documents
}

// View is how a caller sees the upstreams.
type View struct {
	// Upgraded reports whether http requests to a host are upgraded here.
	Upgraded func(host.Name) bool
	// Host is what the caller called. Target is the name that the upstream was given:
	// the same, or that of the other host that calls are sent to. In an answer,
	// Target means Host. Port is the upstream's.
	Host, Target host.Name
	Port         uint16
	// HTTP means that the caller sees http. If it sees https, only a base URL or
	// another target makes a difference to it.
	HTTP bool
	// Base is the caller's base URL; nil when it uses the upstreams' own names.
	Base *Base
}

// Base is the base URL of a caller whose endpoint setting contains tlslift's own
// address.
type Base struct {
	Authority string // the caller's Host header; "" if it sent none
	Prefix    string // "/HOST" as the caller spelled it; "" with default_upstream
	Path      string // path of the call below Prefix, without the query
}

// Changes reports whether an answer may have to change for the caller.
func (v View) Changes() bool { return v.HTTP || v.Base != nil || v.renamed() }

// renamed reports whether the upstream was given a name other than the one called.
func (v View) renamed() bool { return v.Target != v.Host }

// Response changes the header of an answer. It calls count, which may be nil, once
// for each field value that it changed or removed.
func Response(h http.Header, o Options, v View, count func(Kind)) {
	c := changer{view: v, count: count}
	if o.Location {
		c.each(h["Location"], Location, v.url)
		c.each(h["Content-Location"], ContentLocation, v.url)
		c.each(h["Refresh"], Refresh, v.refresh)
		c.each(h["Link"], Link, v.link)
	}
	if o.Cookies {
		c.each(h["Set-Cookie"], Cookie, v.cookie)
	}
	if o.HSTS && v.HTTP {
		c.drop(h, "Strict-Transport-Security", HSTS)
		c.drop(h, "Alt-Svc", AltSvc)
		c.policies(h, "Content-Security-Policy")
		c.policies(h, "Content-Security-Policy-Report-Only")
	}
}

type changer struct {
	view  View
	count func(Kind)
}

func (c *changer) counted(k Kind) {
	if c.count != nil {
		c.count(k)
	}
}

// each applies change to every value of a field.
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
