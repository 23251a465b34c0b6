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

func (s *Server) answer(r *Request) Response {
	if s.options.Override != nil {
		if response, ours := s.options.Override(r); ours {
			return response
		}
	}
	switch pathOf(r.Target) {
	case legacyHTTP:
		return s.legacy(r)
	case legacySOAP:
		return s.soap(r)
	case authentication, balance, bulkMessages, groupMessages:
		return s.rest(r)
	default:
		return restError(http.StatusNotFound, "EntityNotFound", "No such resource.")
	}
}

// messagesOf returns what a request asks to send, regardless of the answer. The
// real API too sends a message once the request has arrived, whatever happens to
// the answer.
func messagesOf(r *Request) []Message {
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
func (s *Server) accepts(user, password string) bool {
	ok := func(given, want string) bool { return given != "" && (want == "" || given == want) }
	return ok(user, s.options.Username) && ok(password, s.options.Password)
}
