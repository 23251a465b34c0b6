package http1

import (
	"net/http"
	"strings"
)

// maxCarried bounds the path that a refused request still carries, in bytes.
const maxCarried = 1024

// refuse turns r into the request that the handler gets instead of a refused
// head. raw is what arrived of that. Method, path, authority and version are
// carried where they are safe to repeat, because the answer's language depends
// on them; nothing else is.
func (r *Request) refuse(ref *Refusal, raw string) {
	r.reset()
	r.Refusal, r.Close, r.raw = ref, true, raw
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

// hostField is the value of the Host field in a head whose request line is taken off;
// "" if it has none, or more than one. A line that is not complete says nothing.
func hostField(fields string) (value string) {
	found, above := false, false // above: the line above is it
	for {
		var line string
		if line, fields = cutLine(fields); line == "" {
			return value
		}
		name, v, _ := strings.Cut(line, ":")
		isHost := fold(name, "host")
		if found && isHost || above && (line[0] == ' ' || line[0] == '\t') {
			return "" // a second one, or the rest of a folded one
		}
		if above = isHost; isHost {
			found, value = true, trim(v)
		}
	}
}

// isWeb reports whether a target begins as an absolute one of http or https does.
func isWeb(target string) bool {
	scheme, _, found := strings.Cut(target, "://")
	return found && (fold(scheme, "http") || fold(scheme, "https"))
}

// carry fills in method and target of a refused request line as far as they
// are safe.
func (r *Request) carry(line string) {
	method, target, found := strings.Cut(line, " ")
	if !found || !isToken(method) {
		return
	}
	r.Method = method
	end := strings.IndexAny(target, " \t?#\r")
	if end < 0 {
		end = 0 // the target's end was not seen: what is there may be cut short
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
