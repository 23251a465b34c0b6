// Package redact decides what may be written down about a request: about its target
// and its body. It never returns a byte of a query, of a body or of an Authorization
// header. It returns a path with everything doubtful masked, a word of a closed set,
// or a bit that means that a secret was there. It also decides what may be shown of a
// configuration value.
//
// Names are matched case-insensitively and on the raw bytes. url.ParseQuery does not
// work here: it drops every pair with a ';' or a bad escape, and redaction would miss
// exactly those.
//
// The package is pure, retains nothing of its input, and takes time linear in it.
package redact

import (
	"strings"
	"unsafe"

	"tlslift/proxy/form"
)

// view returns b as a string without copying, at most form.Prefix bytes of it. Its
// callers only read it and return nothing that points into it.
func view(b []byte) string {
	if len(b) > form.Prefix {
		b = b[:form.Prefix]
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// params is form.Params. If no pair split at "&" has that name, it also splits at
// ";": a secret after one is exposed too.
func params(raw, name string, each func(value string, last bool) bool) {
	if !form.Params(raw, "&", name, each) && strings.IndexByte(raw, ';') >= 0 {
		form.Params(raw, "&;", name, each)
	}
}
