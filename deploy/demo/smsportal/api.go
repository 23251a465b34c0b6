package smsportal

import (
	"net/http"
	"strings"
)

// The paths, in lower case and without the version that may precede those of REST.
const (
	legacyHTTP     = "/api5/http5.aspx"
	legacySOAP     = "/api5/api.asmx"
	authentication = "/authentication"
	balance        = "/balance"
	bulkMessages   = "/bulkmessages"
	groupMessages  = "/groupmessages"
)

// pathOf returns the path of a target in lower case, without the version.
func pathOf(target string) string {
	path, _, _ := strings.Cut(strings.ToLower(target), "?")
	for _, version := range []string{"/v1/", "/v2/", "/v3/"} {
		if rest, found := strings.CutPrefix(path, version); found {
			return "/" + rest
		}
	}
	return path
}

// API answers requests as SMSPortal does. The zero value accepts all credentials.
type API struct {
	Username string // the only accepted user or client ID; "" = any that is not empty
	Password string // the only accepted password or secret; "" = any that is not empty
}

// Request is a request to the API.
type Request struct {
	Method, Target, Host string
	Header               http.Header
	Body                 []byte
}

// Response is what the API answers. Status 0 means 200.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Message identifies one SMS. Tests that count sends give each message its own
// text or customer ID.
type Message struct {
	To         string
	Text       string
	CustomerID string
}

// Answer returns the API's answer to a request.
func (a *API) Answer(r *Request) Response {
	switch pathOf(r.Target) {
	case legacyHTTP:
		return a.legacy(r)
	case legacySOAP:
		return a.soap(r)
	case authentication, balance, bulkMessages, groupMessages:
		return a.rest(r)
	default:
		return restError(http.StatusNotFound, "EntityNotFound", "No such resource.")
	}
}

// Messages returns what a request asks to send, regardless of the answer. The
// real API too sends a message once the request has arrived, whatever happens to
// the answer.
func Messages(r *Request) []Message {
	switch pathOf(r.Target) {
	case legacyHTTP:
		return sent(legacyEntries(fieldsOf(r)))
	case legacySOAP:
		call, err := parseEnvelope(r.Body)
		if err != nil {
			return nil
		}
		return sent(call.entries())
	case bulkMessages, groupMessages:
		if r.Method != http.MethodPost {
			return nil
		}
		entries, live, _ := restEntries(r)
		return sent(entries, live)
	default:
		return nil
	}
}

// accepts checks a user and password, or a client ID and secret.
func (a *API) accepts(user, password string) bool {
	ok := func(given, want string) bool { return given != "" && (want == "" || given == want) }
	return ok(user, a.Username) && ok(password, a.Password)
}
