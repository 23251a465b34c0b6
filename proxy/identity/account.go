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

// scanLimit is how much of a query is searched for the account, in bytes.
const scanLimit = 64 << 10

// accountName returns the API account as a safe name, hashed if so configured, or ""
// if the request names none.
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
	if l.options.Account == AccountHash {
		return hashed(l.options.AccountKey, account)
	}
	return Safe(account)
}

// foreignToAccounts reports whether a character cannot be part of an account's name.
// If a caller misspelt or wrongly escaped its query, a password may follow the name:
// bob;Password=secret, or bob%2526Password%253Dsecret. Such an account does not
// count.
func foreignToAccounts(r rune) bool {
	return strings.ContainsRune("=;%", r) || unicode.IsControl(r)
}

// hashed returns a name that distinguishes accounts without revealing them.
func hashed(key []byte, account string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(account))
	return "account-" + hex.EncodeToString(mac.Sum(nil)[:6])
}

// basicUser returns the user part of Basic credentials (RFC 7617). Some API clients
// send the base64 text without a scheme; that counts too if it decodes to something
// with a colon.
func basicUser(header string) (string, bool) {
	user, _, ok := basicCredentials(header)
	return user, ok && user != ""
}

// basicCredentials splits Basic credentials. It rejects headers over 4 KiB.
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

// username returns the first non-empty value of a parameter called "username", in any
// case, in a query or urlencoded form. cut means that raw may be cut short, so the
// last pair does not count.
func username(raw string, cut bool) (name string) {
	form.Params(raw, "&", "username", func(value string, last bool) bool {
		if !cut || !last {
			name = form.Unescape(bounded(value))
		}
		return name == ""
	})
	return name
}

// usernameIn returns the account that a body names. It judges the format by the text,
// since callers mislabel their bodies: a SOAP envelope, a multipart form, else an
// urlencoded one.
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

// usernameInXML returns the text of the first non-empty element called "username", in
// any case and with any prefix.
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

// bounded returns as much of a value as may become a name.
func bounded(s string) string { return s[:min(len(s), 8*MaxName)] }
