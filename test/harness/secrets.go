package harness

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

// Secrets are planted in requests and must not be found anywhere else. Each is
// searched for as it is, percent-encoded, and in base64.
type Secrets []string

// Search reports each secret that the text gives away; where names the text.
func (s Secrets) Search(t testing.TB, where, text string) {
	t.Helper()
	lower := strings.ToLower(text)
	for _, secret := range s {
		for form, spelled := range map[string]string{
			"plain":   secret,
			"escaped": url.QueryEscape(secret),
			"path":    url.PathEscape(secret),
		} {
			if strings.Contains(lower, strings.ToLower(spelled)) {
				t.Errorf("%s holds a planted secret (%s): %s", where, form, around(lower, strings.ToLower(spelled)))
				break
			}
		}
		for shift := range 3 { // wherever in a longer base64 text it may begin
			if inner := base64Inner(secret, shift); len(inner) >= 8 && strings.Contains(text, inner) {
				t.Errorf("%s holds a planted secret (base64): %s", where, around(text, inner))
			}
		}
	}
}

// base64Inner is that part of the secret's base64 form that does not depend on
// what stands before and after it.
func base64Inner(secret string, shift int) string {
	encoded := base64.StdEncoding.EncodeToString(append(make([]byte, shift), secret...))
	from, to := 4*((shift+2)/3), len(encoded)-4
	if from >= to {
		return ""
	}
	return encoded[from:to]
}

func around(text, part string) string {
	i := strings.Index(text, part)
	return text[max(0, i-80):min(len(text), i+len(part)+40)]
}
