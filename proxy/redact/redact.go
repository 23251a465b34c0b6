// Package redact says what may be written down of a request: of its target and
// its body. It never gives back a byte of a query, of a body or of
// an Authorization header; what it returns is a path with everything doubtful
// masked, a word out of a closed set, or a bit that says that a secret was
// there. It also says what may be shown of a value of the configuration.
//
// Names are matched case-insensitively and on the raw bytes. url.ParseQuery
// will not do: it drops every pair with a ';' or a bad escape, and redaction
// built on it would miss exactly those.
//
// The package is pure, keeps nothing of what it is given, and takes time
// linear in it.
package redact

import (
	"strings"
	"unsafe"

	"tlslift/proxy/form"
)

// view is b as a string without a copy. The callers only read it and return
// nothing that points into it.
func view(b []byte) string {
	if len(b) > form.Prefix {
		b = b[:form.Prefix]
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// params is form.Params. Only when "&" parts no pair of that name, ";" parts them
// too: a secret behind one is exposed too.
func params(raw, name string, each func(value string, last bool) bool) {
	if !form.Params(raw, "&", name, each) && strings.IndexByte(raw, ';') >= 0 {
		form.Params(raw, "&;", name, each)
	}
}
