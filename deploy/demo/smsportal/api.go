package smsportal

import (
	"net/http"
	"strings"
)

// endpoint is what a path leads to.
type endpoint uint8

const (
	nowhere endpoint = iota
	legacyHTTP
	legacySOAP
	authentication
	balance
	bulkMessages
	groupMessages
)

// endpointOf ignores case and, on REST, the version in front.
func endpointOf(target string) endpoint {
	path, _, _ := strings.Cut(strings.ToLower(target), "?")
	switch path {
	case "/api5/http5.aspx":
		return legacyHTTP
	case "/api5/api.asmx":
		return legacySOAP
	}
	for _, version := range []string{"/v1/", "/v2/", "/v3/"} {
		if rest, found := strings.CutPrefix(path, version); found {
			path = "/" + rest
			break
		}
	}
	switch path {
	case "/authentication":
		return authentication
	case "/balance":
		return balance
	case "/bulkmessages":
		return bulkMessages
	case "/groupmessages":
		return groupMessages
	default:
		return nowhere
	}
}

func (s *Server) answer(r *Request) Response {
	if s.options.Override != nil {
		if response, ours := s.options.Override(r); ours {
			return response
		}
	}
	switch endpointOf(r.Target) {
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

// messagesOf finds what a request asks to send, before and without regard to
// how it is answered: for the real API too a message is sent when the request
// arrived, whatever then becomes of the answer.
func messagesOf(r *Request) []Message {
	switch endpointOf(r.Target) {
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

// accepts judges a user and password, or a client ID and secret.
func (s *Server) accepts(user, password string) bool {
	ok := func(given, want string) bool { return given != "" && (want == "" || given == want) }
	return ok(user, s.options.Username) && ok(password, s.options.Password)
}
