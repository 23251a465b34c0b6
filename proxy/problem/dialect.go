package problem

import (
	"slices"
	"strings"

	"tlslift/proxy/form"
	"tlslift/proxy/host"
)

// Dialect is the format in which a caller expects its answers.
type Dialect uint8

// The dialects.
const (
	Text   Dialect = iota // one readable line, with the words that programs need at its end
	API5                  // the legacy HTTP API's <api_result> document
	SOAP11                // a SOAP 1.1 fault
	SOAP12                // a SOAP 1.2 fault
	REST                  // the REST API's JSON
)

// ContentType returns the media type of an answer in the dialect. The bodies are
// plain ASCII, whatever it says.
func (d Dialect) ContentType() string {
	switch d {
	case API5, SOAP11:
		return "text/xml; charset=utf-8"
	case SOAP12:
		return "application/soap+xml; charset=utf-8"
	case REST:
		return "application/json; charset=utf-8"
	default:
		return "text/plain; charset=utf-8"
	}
}

// Hints is what is known about a request that has to be answered. Any of it may be
// missing: a request can fail before its head was understood.
type Hints struct {
	Method      string
	Path        string // with or without the query; as returned by redact.Path is enough
	Host        host.Name
	ContentType string
	Accept      string
	SOAPAction  string
}

// DialectOf decides how a request is answered. The path comes first: it shows which
// API is meant, whatever the caller's HTTP library sends. Then come the headers that
// only one kind of caller sends. DialectOf does not allocate.
//
// A GET below an .asmx asks for its documentation or its WSDL, and the form bindings
// below it (api.asmx/OPERATION) have no faults: both are answered in text.
func DialectOf(h Hints) Dialect {
	switch {
	case isAPI5(h.Path):
		return API5
	case mediaIs(h.ContentType, "application/soap+xml"):
		return SOAP12
	case h.SOAPAction != "":
		return SOAP11
	case isASMX(h.Path):
		if h.Method == "POST" && !mediaIs(h.ContentType, "application/x-www-form-urlencoded") {
			return SOAP11
		}
		return Text
	case isREST(h.Path), strings.HasPrefix(h.Host.String(), "rest."), isJSON(h.ContentType), accepts(h.Accept):
		return REST
	default:
		return Text
	}
}

// DialectBelowHost is DialectOf for a path whose first segment may be a host that is
// not ours, usually a misspelt one.
func DialectBelowHost(h Hints) Dialect {
	below := h
	if i := strings.IndexByte(strings.TrimPrefix(h.Path, "/"), '/'); i >= 0 {
		below.Path = strings.TrimPrefix(h.Path, "/")[i:]
	}
	if d := DialectOf(below); d != Text {
		return d
	}
	return DialectOf(h)
}

// isAPI5 reports whether path is /apiN/httpN.aspx for any N (api3 and api4 are said
// to have existed), alone or with something after it.
func isAPI5(path string) bool {
	path, ok := cutFoldPrefix(path, "/api")
	if !ok {
		return false
	}
	if path, ok = cutFoldPrefix(digits(path), "/http"); !ok {
		return false
	}
	path, ok = cutFoldPrefix(digits(path), ".aspx")
	return ok && atBoundary(path)
}

// isASMX reports whether a segment of the path ends in .asmx.
func isASMX(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	for _, rest, dot := strings.Cut(path, "."); dot; _, rest, dot = strings.Cut(rest, ".") {
		if rest, ok := cutFoldPrefix(rest, "asmx"); ok && atBoundary(rest) {
			return true
		}
	}
	return false
}

// isREST reports whether path is one of the REST API's resources, with or without a
// version.
func isREST(path string) bool {
	resources := []string{"/v1", "/v2", "/v3", "/Authentication", "/Balance", "/BulkMessages", "/GroupMessages"}
	return slices.ContainsFunc(resources, func(begin string) bool {
		rest, ok := cutFoldPrefix(path, begin)
		return ok && atBoundary(rest)
	})
}

// atBoundary reports whether a name ends where rest begins.
func atBoundary(rest string) bool {
	if rest == "" {
		return true
	}
	c := rest[0]
	return (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-'
}

// digits returns s without its leading digits.
func digits(s string) string { return strings.TrimLeft(s, "0123456789") }

func cutFoldPrefix(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// mediaIs compares a media type, ignoring its parameters (RFC 9110 8.3.1).
func mediaIs(contentType, media string) bool {
	return strings.EqualFold(form.Media(contentType), media)
}

func isJSON(contentType string) bool {
	media := form.Media(contentType)
	const suffix = "+json"
	return strings.EqualFold(media, "application/json") ||
		len(media) > len(suffix) && strings.EqualFold(media[len(media)-len(suffix):], suffix)
}

// accepts reports whether an Accept header names JSON. It ignores weights: a client
// that names JSON can read it.
func accepts(accept string) bool {
	for accept != "" {
		item := accept
		if i := strings.IndexByte(accept, ','); i >= 0 {
			item, accept = accept[:i], accept[i+1:]
		} else {
			accept = ""
		}
		if isJSON(item) {
			return true
		}
	}
	return false
}
