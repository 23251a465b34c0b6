package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode"
)

// scanLimit bounds how much of a query or form is searched for the account.
const scanLimit = 64 << 10

// accountName is the API account as a safe name, hashed if so configured; ""
// when the request names none.
func (l *Resolver) accountName(authorization, rawQuery string, form func() []byte) string {
	account, ok := basicUser(authorization)
	if !ok {
		account = username(rawQuery)
	}
	if account == "" && form != nil {
		if body := form(); len(body) > 0 {
			account = usernameIn(string(body[:min(len(body), scanLimit)]))
		}
	}
	account = strings.TrimSpace(account)
	if account == "" || strings.ContainsFunc(account, foreignToAccounts) {
		return ""
	}
	if l.account == AccountHash {
		return hashed(l.accountKey, account)
	}
	return Safe(account)
}

// foreignToAccounts reports whether a character has no place in an account's name.
// A query that its caller spelled or escaped wrongly may have a password behind the
// name: bob;Password=secret, or bob%2526Password%253Dsecret. Such an account is none.
func foreignToAccounts(r rune) bool {
	return strings.ContainsRune("=;%", r) || unicode.IsControl(r)
}

// hashed is a name that tells accounts apart without telling which they are.
func hashed(key []byte, account string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(account))
	return "account-" + hex.EncodeToString(mac.Sum(nil)[:6])
}

// basicUser is the user part of Basic credentials (RFC 7617). Some API clients
// send the base64 text with no scheme word at all; that counts too when it
// decodes to something with a colon.
func basicUser(header string) (string, bool) {
	user, _, ok := basicCredentials(header)
	return user, ok && user != ""
}

// basicCredentials splits Basic credentials. Headers over 4 KiB are none.
func basicCredentials(header string) (user, password string, ok bool) {
	header = strings.TrimSpace(header)
	if header == "" || len(header) > 4<<10 {
		return "", "", false
	}
	if scheme, rest, found := strings.Cut(header, " "); found {
		if !strings.EqualFold(scheme, "basic") {
			return "", "", false
		}
		header = strings.TrimSpace(rest)
	}
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(header, "="))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(decoded), ":")
}

// username is the value of the first parameter called "username", whatever its
// case, in a query or urlencoded form. It works on the raw text: url.ParseQuery
// drops pairs that the API's real callers send (a bad escape, a semicolon).
func username(raw string) string {
	const key = "username="
	raw = raw[:min(len(raw), scanLimit)]
	for raw != "" {
		pair, rest, _ := strings.Cut(raw, "&")
		if len(pair) >= len(key) && strings.EqualFold(pair[:len(key)], key) {
			if v := unescape(pair[len(key):]); v != "" {
				return v
			}
		}
		raw = rest
	}
	return ""
}

// usernameIn is the account that a body names, by its looks: a SOAP envelope, a
// multipart form, else an urlencoded one. Callers mislabel their bodies.
func usernameIn(body string) string {
	switch text := strings.TrimLeft(body, "\ufeff \t\r\n"); {
	case strings.HasPrefix(text, "<"):
		return usernameInXML(text)
	case strings.HasPrefix(text, "--"):
		return usernameInParts(text)
	default:
		return username(text)
	}
}

var entities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&amp;", "&")

// usernameInXML is the text of the first element called "username", whatever
// its case and prefix.
func usernameInXML(text string) string {
	for {
		_, rest, found := strings.Cut(text, "<")
		if !found {
			return ""
		}
		text = rest
		tag, after, closed := strings.Cut(rest, ">")
		if !closed || strings.HasSuffix(tag, "/") {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimSpace(tag), " ")
		if i := strings.LastIndexByte(name, ':'); i >= 0 {
			name = name[i+1:]
		}
		if !strings.EqualFold(name, "username") {
			continue
		}
		value, _, ended := strings.Cut(after, "<")
		if value = strings.TrimSpace(value); ended && value != "" {
			return entities.Replace(value[:min(len(value), 8*MaxName)])
		}
	}
}

// usernameInParts is the value of the first part called "username", whatever
// its case, of a multipart form (RFC 7578).
func usernameInParts(text string) string {
	const key = `name="username"`
	for text != "" {
		head, rest, found := strings.Cut(text, "\n")
		text = rest
		if !found || len(head) < len(key) || !strings.Contains(strings.ToLower(head), " "+key) && !strings.Contains(strings.ToLower(head), ";"+key) {
			continue
		}
		for line := head; found && strings.TrimRight(line, "\r") != ""; { // to the end of the part's head
			line, text, found = strings.Cut(text, "\n")
		}
		value, _, ended := strings.Cut(text, "\n")
		if value = strings.TrimSpace(value); ended && value != "" {
			return value[:min(len(value), 8*MaxName)]
		}
	}
	return ""
}

// unescape decodes percent and plus escapes and leaves bad ones as they are.
func unescape(s string) string {
	s = s[:min(len(s), 8*MaxName)]
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			out = append(out, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			out = append(out, fromHex(s[i+1])<<4|fromHex(s[i+2]))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func fromHex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	default:
		return c - 'A' + 10
	}
}
