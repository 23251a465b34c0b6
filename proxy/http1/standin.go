package http1

import (
	"net/http"
	"strings"
)

// maxCarried limits the target that a refused request still carries, in bytes.
const maxCarried = 1024

// refuse turns r into the request that the handler gets in place of a refused head.
// raw is what arrived. If every field was read, the request is kept as it is.
// Otherwise method, path, authority and version are kept where they are safe to
// repeat, because the answer's language depends on them, and nothing else.
func (r *Request) refuse(ref *Refusal, raw string, whole bool) {
	if !whole {
		r.reset()
	}
	r.Refusal, r.Partial, r.Close, r.raw = ref, !whole, true, raw
	if whole {
		return
	}
	line, rest := cutLine(raw)
	if rest == "" && line == "" {
		line = raw
	}
	r.version(strings.HasSuffix(line, " HTTP/1.0"))
	r.carry(line)
	if (r.Form == OriginForm || r.Form == AsteriskForm) && ref.Status != http.StatusRequestURITooLong {
		r.authority(hostField(rest))
	}
}

// hostField returns the value of the Host field among fields, a head without its
// request line. It returns "" if there is none, more than one, or a folded one.
func hostField(fields string) (value string) {
	found, above := false, false // above: the previous line is a Host field
	for {
		var line string
		if line, fields = cutLine(fields); line == "" {
			return value
		}
		name, v, _ := strings.Cut(line, ":")
		isHost := fold(name, "host")
		if found && isHost || above && (line[0] == ' ' || line[0] == '\t') {
			return "" // a second Host, or the rest of a folded one
		}
		if above = isHost; isHost {
			found, value = true, trim(v)
		}
	}
}

// isWeb reports whether target begins like an absolute http or https URL.
func isWeb(target string) bool {
	scheme, _, found := strings.Cut(target, "://")
	return found && (fold(scheme, "http") || fold(scheme, "https"))
}

// carry fills in the method and target of a refused request line, as far as they
// are safe to repeat.
func (r *Request) carry(line string) {
	method, target, found := strings.Cut(line, " ")
	if !found || !isToken(method) {
		return
	}
	r.Method = method
	end := strings.IndexAny(target, " \t?#\r")
	if end < 0 {
		end = 0 // the end of the target did not arrive, so it may be cut short
	}
	if end <= maxCarried {
		if ref := r.target(target[:end]); ref == nil || ref.Detail == detailEscape {
			return
		}
	}
	form := OriginForm
	switch {
	case method == "CONNECT":
		form = AuthorityForm
	case isWeb(target):
		form = AbsoluteForm
	}
	r.Form, r.Scheme, r.RequestURI, r.Target = form, "", "", ""
	r.authority("")
	switch form {
	case AuthorityForm:
		r.authority(target[:end])
	case AbsoluteForm:
		_, rest, _ := strings.Cut(target, "://")
		if end := strings.IndexAny(rest, "/? \t"); end >= 0 {
			r.authority(rest[:end])
		}
	}
}
