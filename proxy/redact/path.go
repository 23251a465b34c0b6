package redact

import (
	"strings"

	"tlslift/proxy/form"
)

const (
	// MaxPath is the longest path that Path returns, in bytes, including cutMark.
	MaxPath = 256

	cutMark    = "..." // the path continues
	mask       = "*"   // replaces what is hidden
	maxSegment = 40    // longer ones are tokens, not names
	maxDigits  = 6     // a seventh makes it a phone number or an account
)

// Path returns what may be logged of a request target (RFC 9112 3.2), in origin or
// absolute form: its path, at most MaxPath bytes of printable ASCII. The paths of the
// SMSPortal APIs pass unchanged, without an allocation. A target without a path
// (CONNECT's, or an empty one) gives "".
//
//   - Scheme, authority and user information are dropped.
//   - The path ends at the first '?', '#', ';', '&' or '=', raw or escaped, and at an
//     escaped '%': callers forget the '?', escape it, or put secrets into matrix
//     parameters. Unless it ends at a raw '?' or '#', a '*' marks the end.
//   - A segment is shown as '*' if it contains an IIS escape (%u003D), seven or
//     more digits (a number, an account, a GUID), an '@' or ':' (an address,
//     credentials), or white space between words (text), or is longer than 40 bytes
//     (a token). Escaped bytes count as the bytes that they mean.
//   - Bytes that are not allowed in a path are percent-encoded.
func Path(target string) string {
	path := pathOf(target)
	if path == "" || path[0] != '/' {
		return path
	}
	// Up to clean, the path is shown as it came. out is allocated at the first
	// segment that is not.
	var out []byte
	clean := 0
	for pos := 0; pos < len(path); {
		seg, stop := segment(path[pos+1:])
		end := pos + 1 + seg.size
		if out == nil && (seg.shown != verbatim || stop == stopMarked) {
			out = append(make([]byte, 0, MaxPath+maxSegment), path[:pos]...)
		}
		if out == nil {
			clean = end
		} else {
			out = seg.appendTo(append(out, '/'), path[pos+1:end])
		}
		if stop == stopMarked && seg.shown != masked {
			out = append(out, mask...)
		}
		if stop != stopSlash || len(out) > MaxPath || clean > MaxPath {
			break
		}
		pos = end
	}
	if out == nil {
		return bounded(path[:clean])
	}
	return bounded(string(out))
}

func bounded(path string) string {
	if len(path) <= MaxPath {
		return path
	}
	return path[:MaxPath-len(cutMark)] + cutMark
}

// pathOf returns the target from its path on, "*" for the asterisk form, or "" if
// there is no path.
func pathOf(target string) string {
	if target == "" || target[0] == '/' || target == "*" {
		return target
	}
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || strings.ContainsAny(scheme, "/?#@") {
		return ""
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 && rest[i] == '/' {
		return rest[i:]
	}
	return "/"
}

// showing is how a segment is shown.
type showing uint8

const (
	verbatim showing = iota
	escaped
	masked
)

// stopping is why a segment ended.
type stopping uint8

const (
	stopEnd    stopping = iota // the path or its target ended
	stopSlash                  // another segment follows
	stopMarked                 // something follows that is hidden
)

type piece struct {
	size  int
	shown showing
}

// segment examines the first path segment of s.
func segment(s string) (piece, stopping) {
	digits, secret, text, space, escape := 0, false, false, false, false
	end := func(n int, stop stopping) (piece, stopping) {
		switch {
		case secret, digits > maxDigits, n > maxSegment:
			return piece{n, masked}, stop
		case escape:
			return piece{n, escaped}, stop
		default:
			return piece{n, verbatim}, stop
		}
	}
	for i := 0; i < len(s); {
		c, size := s[i], 1
		if c == '%' {
			if d, ok := form.Unhex(s[i+1:]); ok {
				c, size = d, 3
			}
			secret = secret || i+1 < len(s) && s[i+1]|0x20 == 'u' // IIS reads %u003D as '='
		}
		switch {
		case c == '/' && size == 1:
			return end(i, stopSlash)
		case (c == '?' || c == '#') && size == 1:
			return end(i, stopEnd)
		case c == '=':
			secret = true // NAME=VALUE, or the end of a base64 token
			return end(i, stopMarked)
		case c == '?', c == '#', c == ';', c == '&', c == '%' && size == 3:
			return end(i, stopMarked)
		case '0' <= c && c <= '9':
			digits++
			text = true
			secret = secret || space
		case c == '@', c == ':':
			secret = true
		case c == ' ', c == '\t', c == '+':
			space = text
			escape = escape || size == 1 && c != '+'
		default:
			text = true
			secret = secret || space
			escape = escape || size == 1 && !pathByte(c)
		}
		i += size
	}
	return end(len(s), stopEnd)
}

// pathByte reports whether c is allowed unescaped in a path (RFC 3986 3.3).
func pathByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	default:
		return strings.IndexByte("-._~!$'()*+,%", c) >= 0
	}
}

func (p piece) appendTo(dst []byte, raw string) []byte {
	switch p.shown {
	case verbatim:
		return append(dst, raw...)
	case masked:
		return append(dst, mask...)
	}
	const hex = "0123456789ABCDEF"
	for i := range len(raw) {
		if c := raw[i]; pathByte(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}
