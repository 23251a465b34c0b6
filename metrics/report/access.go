package report

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Access is how an HTTP source is reached. A bearer token goes before a user.
type Access struct {
	Token    string
	User     string
	Password string

	Transport http.RoundTripper // nil = a plain one of its own
}

// client is an HTTP client that sends the credentials to the one place they are
// for: it follows no redirect.
func (a Access) client() *http.Client {
	next := a.Transport
	if next == nil {
		next = transport(http.ProxyFromEnvironment)
	}
	return &http.Client{
		Transport: authorized{a, next},
		Timeout:   answerTime,
		CheckRedirect: func(to *http.Request, _ []*http.Request) error {
			return fmt.Errorf("it redirects to %s://%s: %w", to.URL.Scheme, to.URL.Host, errElsewhere)
		},
	}
}

// transport gives up in time on an address that does not answer.
func transport(proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	dialer := net.Dialer{Timeout: connectTime}
	return &http.Transport{Proxy: proxy, DialContext: dialer.DialContext, TLSHandshakeTimeout: connectTime}
}

type authorized struct {
	access Access
	next   http.RoundTripper
}

func (t authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	switch {
	case t.access.Token != "":
		r.Header.Set("Authorization", "Bearer "+t.access.Token)
	case t.access.User != "":
		r.SetBasicAuth(t.access.User, t.access.Password)
	}
	return t.next.RoundTrip(r)
}

// ErrAddress says that a source's address is none.
var ErrAddress = errors.New("write an address of the form http://host:port")

// address parses an http or https URL and takes credentials out of it, which
// would otherwise end up in errors and in the report. A bare host:port is http.
func address(text string, a *Access) (*url.URL, error) {
	if isHostPort(text) {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, ErrAddress // the parser's error repeats the address, password and all
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, ErrAddress
	}
	if u.User != nil {
		if a.Token == "" && a.User == "" {
			a.User = u.User.Username()
			a.Password, _ = u.User.Password()
		}
		u.User = nil
	}
	return u, nil
}

// isHostPort reports whether the text is an address without a scheme. Only the
// port tells: without one, a word is more likely a mistake.
func isHostPort(text string) bool {
	if strings.Contains(text, "://") {
		return false
	}
	authority, _, _ := strings.Cut(text, "/")
	host, port, err := net.SplitHostPort(authority)
	if err != nil || host == "" {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}
