package smsportal

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

type message struct {
	Content     string `json:"content"`
	Destination string `json:"destination"`
	CustomerID  string `json:"customerId"`
}

// sendRequest covers /BulkMessages and /GroupMessages. encoding/json accepts keys
// in any case, as the real API does.
type sendRequest struct {
	SendOptions struct {
		TestMode bool `json:"testMode"`
	} `json:"sendOptions"`
	Messages []message `json:"messages"`
	Message  string    `json:"message"`
	Groups   []string  `json:"groups"`
}

type sendReport struct {
	Cost             int             `json:"cost"`
	RemainingBalance int             `json:"remainingBalance"`
	EventID          uint32          `json:"eventId"`
	Sample           string          `json:"sample"`
	Messages         int             `json:"messages"`
	Parts            int             `json:"parts"`
	CostBreakdown    []costBreakdown `json:"costBreakdown"`
	ErrorReport      errorReport     `json:"errorReport"`
}

type costBreakdown struct {
	Quantity int    `json:"quantity"`
	Cost     int    `json:"cost"`
	Network  string `json:"network"`
}

type errorReport struct {
	NoNetwork  int   `json:"noNetwork"`
	Duplicates int   `json:"duplicates"`
	OptedOuts  int   `json:"optedOuts"`
	Faults     []any `json:"faults"`
}

func (a *API) rest(r *Request) Response {
	where := pathOf(r.Target)
	authorized, complaint := a.authorized(r.Header.Get("Authorization"))
	if !authorized {
		return restError(http.StatusUnauthorized, complaint, "The credentials were not accepted.")
	}
	switch {
	case where == authentication: // usually GET; one client in the wild sends POST
		return restJSON(http.StatusOK, map[string]any{"token": token(), "schema": "JWT", "expiresInMinutes": 1440})
	case where == balance && r.Method == http.MethodGet:
		return restJSON(http.StatusOK, map[string]any{"balance": 1000000, "number": 1000000})
	case where != balance && r.Method == http.MethodPost:
		return sendMessages(r)
	default:
		return restError(http.StatusMethodNotAllowed, "MethodNotAllowed", "The resource does not know this method.")
	}
}

func sendMessages(r *Request) Response {
	entries, _, err := restEntries(r)
	if err != nil {
		return restError(http.StatusBadRequest, "InvalidParameter.Format", err.Error())
	}
	n := len(entries)
	if n == 0 {
		return restError(http.StatusBadRequest, "RequiredParameter.Missing", "No messages.")
	}
	if n > 100 {
		return restError(http.StatusBadRequest, "InvalidParameter.Format", "At most 100 messages.")
	}
	return restJSON(http.StatusOK, sendReport{
		Cost: n, RemainingBalance: 1000000 - n, EventID: eventID(entries), Sample: entries[0].Text, Messages: n, Parts: n,
		CostBreakdown: []costBreakdown{{Quantity: n, Cost: 1, Network: "Pretend"}},
		ErrorReport:   errorReport{Faults: []any{}},
	})
}

// restEntries returns the messages that a call asks for, and whether they are
// live or in test mode.
func restEntries(r *Request) (entries []Message, live bool, err error) {
	var body sendRequest
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return nil, false, errors.New("the body is not JSON of the expected form")
	}
	for _, m := range body.Messages {
		entries = append(entries, Message{To: m.Destination, Text: m.Content, CustomerID: m.CustomerID})
	}
	for _, group := range body.Groups {
		entries = append(entries, Message{To: "group " + group, Text: body.Message})
	}
	return entries, !body.SendOptions.TestMode, nil
}

// authorized accepts Basic and Bearer in any case, a token in brackets, and bare
// base64 without a scheme. All of these were seen from real callers.
func (a *API) authorized(header string) (bool, string) {
	if header == "" {
		return false, "AuthenticationHeader.Missing"
	}
	scheme, value, found := strings.Cut(header, " ")
	if !found {
		scheme, value = "basic", header
	}
	if strings.EqualFold(scheme, "bearer") {
		return validToken(strings.Trim(value, "[] ")), "AuthenticationToken.Invalid"
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
	user, password, _ := strings.Cut(string(plain), ":")
	return err == nil && a.accepts(user, password), "InvalidCredentials"
}

// tokenKey signs the tokens of this process.
var tokenKey = []byte(rand.Text())

// token looks like a JWT. Only its signature is checked, so nothing has to be
// remembered.
func token() string {
	payload := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"pretend"}`))
	return payload + "." + sign(payload)
}

func validToken(token string) bool {
	i := strings.LastIndexByte(token, '.')
	return i > 0 && hmac.Equal([]byte(sign(token[:i])), []byte(token[i+1:]))
}

func sign(payload string) string {
	mac := hmac.New(sha256.New, tokenKey)
	mac.Write([]byte(payload))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func restError(status int, code, text string) Response {
	return restJSON(status, map[string]any{
		"statusCode": status,
		"message":    text,
		"errors":     []map[string]string{{"errorCode": code, "errorMessage": text}},
	})
}

func restJSON(status int, document any) Response {
	body, err := json.Marshal(document)
	if err != nil {
		return Response{Status: http.StatusInternalServerError}
	}
	return Response{Status: status, Header: contentType("application/json; charset=utf-8"), Body: body}
}
