package problem

import (
	"strings"

	"tlslift/proxy/form"
	"tlslift/proxy/host"
)

// Dialect is the language in which a caller expects its answers.
type Dialect uint8

// The dialects.
const (
	Text   Dialect = iota // one readable line, and one for programs
	API5                  // the legacy HTTP API's <api_result> document
	SOAP11                // a SOAP 1.1 fault
	SOAP12                // a SOAP 1.2 fault
	REST                  // the REST API's JSON
)

// ContentType is the media type of an answer in the dialect. The bodies are
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

// Hints is what is known of a request when it has to be answered. Any of it
// may be missing: a request can fail before its head was understood.
type Hints struct {
	Method      string
	Path        string // with or without the query; redact.Path's will do
	Host        host.Name
	ContentType string
	Accept      string
	SOAPAction  string
}

// DialectOf decides how a request is answered: the path first, for a path
// says which API is meant whatever else the caller's HTTP library writes;
// then the headers that only one kind of caller sends. It does not allocate.
//
// A GET below an .asmx asks for its documentation or its WSDL, and the form bindings below it (api.asmx/OPERATION) know no
// faults: both are answered in text.
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

// DialectBelowHost is DialectOf for a path whose first segment may be a host that
// is not ours, a misspelt one as a rule.
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

// isAPI5 reports /apiN/httpN.aspx for any N (api3 and api4 are said to have
// been), alone or with something after it.
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
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path = path[:i]
	}
	for {
		i := strings.IndexByte(path, '.')
		if i < 0 {
			return false
		}
		path = path[i:]
		if rest, ok := cutFoldPrefix(path, ".asmx"); ok && atBoundary(rest) {
			return true
		}
		path = path[1:]
	}
}

// isREST reports the REST API's resources, with or without a version.
func isREST(path string) bool {
	for _, version := range [...]string{"/v1", "/v2", "/v3"} {
		if rest, ok := cutFoldPrefix(path, version); ok && atBoundary(rest) {
			return true
		}
	}
	for _, resource := range [...]string{"/Authentication", "/Balance", "/BulkMessages", "/GroupMessages"} {
		if rest, ok := cutFoldPrefix(path, resource); ok && atBoundary(rest) {
			return true
		}
	}
	return false
}

// atBoundary reports whether a name ends where rest begins.
func atBoundary(rest string) bool {
	if rest == "" {
		return true
	}
	c := rest[0]
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-'
}

// digits is s without the digits it begins with.
func digits(s string) string {
	for s != "" && '0' <= s[0] && s[0] <= '9' {
		s = s[1:]
	}
	return s
}

func hasFoldPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func cutFoldPrefix(s, prefix string) (string, bool) {
	if !hasFoldPrefix(s, prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// mediaIs compares a media type without its parameters (RFC 9110 8.3.1).
func mediaIs(contentType, media string) bool {
	return strings.EqualFold(form.Media(contentType), media)
}

func isJSON(contentType string) bool {
	media := form.Media(contentType)
	const suffix = "+json"
	return strings.EqualFold(media, "application/json") ||
		len(media) > len(suffix) && strings.EqualFold(media[len(media)-len(suffix):], suffix)
}

// accepts reports whether an Accept header names JSON. Weights are left out:
// who names it can read it.
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
