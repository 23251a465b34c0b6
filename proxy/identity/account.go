package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode"

	"tlslift/proxy/form"
)

// scanLimit bounds how much of a query is searched for the account, in bytes.
const scanLimit = 64 << 10

// accountName is the API account as a safe name, hashed if so configured; ""
// when the request names none.
func (l *Resolver) accountName(authorization, rawQuery string, body func() []byte) string {
	account, ok := basicUser(authorization)
	if !ok {
		account = username(rawQuery[:min(len(rawQuery), scanLimit)], false)
	}
	if account == "" && body != nil {
		text := body()
		account = usernameIn(string(text[:min(len(text), form.Prefix)]))
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

// username is the first value that is not empty of a parameter called "username",
// whatever its case, in a query or urlencoded form. The last pair does not count if
// it may be cut short.
func username(raw string, cut bool) (name string) {
	form.Params(raw, "&", "username", func(value string, last bool) bool {
		if !cut || !last {
			name = form.Unescape(bounded(value))
		}
		return name == ""
	})
	return name
}

// usernameIn is the account that a body names, by its looks: a SOAP envelope, a
// multipart form, else an urlencoded one. Callers mislabel their bodies.
func usernameIn(body string) (name string) {
	text := strings.TrimLeft(body, "\ufeff \t\r\n")
	switch {
	case strings.HasPrefix(text, "<"):
		return usernameInXML(text)
	case strings.HasPrefix(text, "--"):
		boundary, _, _ := strings.Cut(text[len("--"):], "\n")
		form.Parts(text, strings.TrimSuffix(boundary, "\r"), func(key, value string, complete bool) bool {
			if complete && strings.EqualFold(key, "username") {
				name = bounded(strings.TrimSpace(value))
			}
			return name == ""
		})
		return name
	default:
		return username(text, len(body) == form.Prefix)
	}
}

var entities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&amp;", "&")

// usernameInXML is the text of the first element called "username", whatever
// its case and prefix, that has some.
func usernameInXML(xml string) string {
	for {
		name, rest := form.Element(xml)
		if name == "" {
			return ""
		}
		if strings.EqualFold(name, "username") {
			text, complete := form.Text(rest)
			if text = strings.TrimSpace(text); complete && text != "" {
				return entities.Replace(bounded(text))
			}
		}
		xml = rest
	}
}

// bounded is as much of a value as may become a name.
func bounded(s string) string { return s[:min(len(s), 8*MaxName)] }
