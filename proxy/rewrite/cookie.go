package rewrite

import "strings"

// cookie is the value of a Set-Cookie field without Secure and SameSite=None
// (RFC 6265 5.2; SameSite=None is only valid together with Secure).
//
// A name that begins with __Secure- or __Host- makes no difference: a client
// that knows these prefixes refuses such a cookie over http with Secure as
// well as without, and one that does not, which is the kind that comes here,
// keeps it. Changing the name would hide the cookie from the server.
func cookie(v string) (string, bool) {
	pair := strings.IndexByte(v, ';')
	if pair < 0 {
		return v, false
	}
	var out []byte
	done := 0 // v up to here is in out, or clean
	for i := pair; i < len(v); {
		end := len(v)
		if n := strings.IndexByte(v[i+1:], ';'); n >= 0 {
			end = i + 1 + n
		}
		if httpsOnly(v[i+1 : end]) {
			out = append(out, v[done:i]...)
			done = end
		}
		i = end
	}
	if done == 0 {
		return v, false
	}
	return string(append(out, v[done:]...)), true
}

// httpsOnly reports an attribute that a client may only honour over https.
func httpsOnly(attribute string) bool {
	name, value, _ := strings.Cut(attribute, "=")
	name = strings.Trim(name, " \t")
	return strings.EqualFold(name, "Secure") ||
		strings.EqualFold(name, "SameSite") && strings.EqualFold(strings.Trim(value, " \t"), "None")
}
