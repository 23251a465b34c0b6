package main

import (
	"maps"
	"slices"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// Colours. The same word always has the same colour. They differ in brightness
// too, for readers who cannot tell red from green. Green means done.
const (
	red    = "#d1453b"
	orange = "#e8a33d"
	green  = "#2f9e6e"
	blue   = "#3c78c8"
	grey   = "#8e8e97"
	pale   = "#b8b8c0"
	text   = "text" // the theme's own text colour, for no judgement
)

// colours maps the names of series to their colours.
type colours map[string]string

var (
	stateColours = colours{"insecure": red, "mixed": orange, "migrated": green, "silent": grey, "unseen": blue, "no-calls": pale}
	rowColours   = colours{"insecure": red, "mixed": orange, "migrated": green, "silent": grey, "unseen": blue, "failing": "#8f1d1d"}
	states       = []string{"insecure", "mixed", "silent", "unseen", "migrated", "no-calls"}

	// From dark to light for insecure versions, and from light to dark for secure
	// ones, so that neighbours also differ in greyscale.
	versionColours = colours{
		"plain HTTP": "#8f1d1d", "SSL 3.0": "#3d1111", "TLS 1.0": "#e2622f", "TLS 1.1": "#fbdc84", "TLS 1.2": "#74b3d8", "TLS 1.3": "#174f82",
	}
	versions = []string{"plain HTTP", "SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"}

	// By what has to be done: a certificate, a version or suite, or a name. Grey
	// may need nothing.
	failureColours = colours{
		"client_rejected_ca": red, "client_rejected_upstream": "#8f1d1d",
		"version": "#e2622f", "no_shared_cipher": orange, "signature": "#b9770e", "sslv2_hello": "#fbd56b",
		"no_server_name": "#7d4fa8", "client_alert": "#c06bb0",
		"no_call": pale, "timeout": "#77777f", "eof": grey, "not_tls": "#5c5c63", "other": "#45454a",
	}
	denialColours = colours{
		"malformed": red, "loop": "#8f1d1d", "misdirected": "#e2622f", "too_large": orange, "method": "#fbd56b",
		"host": "#7d4fa8", "port": "#c06bb0", "internal_address": "#4b2a70", "acl": blue, "proxy_auth": "#8cc7e6",
		"limit": "#b9770e", "draining": pale, "client_timeout": "#77777f", "client_gone": grey,
	}
	secretColours = colours{"query": "#4b2a70", "form": "#7d4fa8", "soap": "#b08fd0", "basic": "#b9770e", "bearer": orange}
	phaseColours  = colours{"dns": pale, "connect": "#8cc7e6", "tls": blue, "first_byte": "#1f3f66"}
)

// sorted returns the names that have a colour.
func sorted(c colours) []string { return slices.Sorted(maps.Keys(c)) }

// changes says what to change in a client with each verdict. A test compares it
// with the sentences of docs/fixes.
var changes = map[string]string{
	"shut-out":           "It cannot connect: it has only SSL 3.0, or only ciphers that SMSPortal and tlslift refuse, such as export, DES, DHE and RC4-MD5. Until it is updated, have it call http:// addresses through tlslift, which works today.",
	"distrusts-ca":       "It rejects tlslift's certificate: install the CA where it looks, or change the client to TLS 1.2.",
	"distrusts-upstream": "It rejects SMSPortal's certificate: update its root certificates.",
	"no-shared-cipher":   "It offers TLS 1.2, but no cipher suite that SMSPortal accepts: update its TLS library or remove its cipher list.",
	"no-server-name":     "It offers TLS 1.2 and names no server (SNI), so tlslift does not know where to send it: have the client name the host, or call by CONNECT.",
	"sslv2-framed":       "Its hello has the SSL 2.0 format, which modern servers refuse. Turn SSLv2Hello (SSL 2.0) off in it, and update its runtime or TLS library.",
	"legacy-only":        "It offers at most TLS 1.1. Update its runtime or TLS library to one that has TLS 1.2. If it has TLS 1.2 already, remove what limits it.",
	"names-wrong-host":   "Its TLS hello does not name the API host that it calls: have it name that host, not localhost or an alias.",
	"capable":            "It can speak TLS 1.2 already: let it use the API's https addresses without tlslift.",
	"plaintext":          "Change its URL to the API's https address.",
}

// suspected has the sentences for clients whose verdict is inferred from silence.
var suspected = map[string]string{
	"distrusts-ca":       "It leaves after the TLS handshake without a word, so it may not trust tlslift's certificate: unless it is a health check, install the CA where it looks, or change the client to TLS 1.2.",
	"distrusts-upstream": "It leaves after the TLS handshake without a word, so it may not trust SMSPortal's certificate: unless it is a health check, update its root certificates.",
}

func property(id string, value any) dashboard.DynamicConfigValue {
	return dashboard.DynamicConfigValue{Id: id, Value: value}
}

func fixed(colour string) dashboard.DynamicConfigValue {
	return property("color", map[string]any{"mode": "fixed", "fixedColor": colour})
}

func dashed(lengths ...int) dashboard.DynamicConfigValue {
	return property("custom.lineStyle", map[string]any{"fill": "dash", "dash": lengths})
}

// overrider is what the panel builders used here have in common.
type overrider[B any] interface {
	OverrideByName(name string, properties []dashboard.DynamicConfigValue) B
}

// paint gives the panel's series their colours.
func paint[B overrider[B]](p B, c colours, order ...string) B {
	for _, name := range order {
		p = p.OverrideByName(name, []dashboard.DynamicConfigValue{fixed(c[name])})
	}
	return p
}

// words maps the values of a column to coloured words.
func words(c colours) []dashboard.DynamicConfigValue {
	options := make(map[string]any)
	for word, colour := range c {
		options[word] = map[string]any{"color": colour}
	}
	return []dashboard.DynamicConfigValue{
		mapped(options),
		property("custom.cellOptions", map[string]any{"type": "color-text"}),
	}
}

// yes maps 1 and 0 to words.
func yes(one, oneColour, zero, zeroColour string) []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{
		mapped(map[string]any{
			"1": map[string]any{"text": one, "color": oneColour}, "0": map[string]any{"text": zero, "color": zeroColour},
		}),
		property("custom.cellOptions", map[string]any{"type": "color-text"}),
	}
}

// mapped displays values as words.
func mapped(options map[string]any) dashboard.DynamicConfigValue {
	return property("mappings", []any{map[string]any{"type": "value", "options": options}})
}

// judged returns thresholds, with each colour from its value on. Missing values
// have no colour.
func judged(steps ...dashboard.Threshold) *dashboard.ThresholdsConfigBuilder {
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).
		Steps(append([]dashboard.Threshold{{Color: text}}, steps...))
}

func from(value float64, colour string) dashboard.Threshold {
	return dashboard.Threshold{Value: cog.ToPtr(value), Color: colour}
}
