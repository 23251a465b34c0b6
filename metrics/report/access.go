package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Access is how to reach an HTTP source. A bearer token takes precedence over a user.
type Access struct {
	Token    string
	User     string
	Password string

	Transport http.RoundTripper // nil = a new http.Transport
}

// source is an HTTP source of a report.
type source struct {
	client *http.Client
	access Access
	url    *url.URL
	peer   peer // what it should be
}

// source returns an HTTP source that gets the credentials. They are for this one
// place, so no redirect is followed. A source that does not answer times out.
func (a Access) source(u *url.URL, is peer, proxy func(*http.Request) (*url.URL, error)) source {
	next := a.Transport
	if next == nil {
		dialer := net.Dialer{Timeout: connectTime}
		next = &http.Transport{Proxy: proxy, DialContext: dialer.DialContext, TLSHandshakeTimeout: connectTime}
	}
	return source{url: u, access: a, peer: is, client: &http.Client{
		Transport: next,
		Timeout:   answerTime,
		CheckRedirect: func(to *http.Request, _ []*http.Request) error {
			return fmt.Errorf("it redirects to %s://%s: %w", to.URL.Scheme, to.URL.Host, errElsewhere)
		},
	}}
}

// get requests one answer. Its error says what to do.
func (s source) get(ctx context.Context, target *url.URL) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, err
	}
	switch {
	case s.access.Token != "":
		request.Header.Set("Authorization", "Bearer "+s.access.Token)
	case s.access.User != "":
		request.SetBasicAuth(s.access.User, s.access.Password)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return nil, s.peer.explain(err, s.url)
	}
	return answer, nil
}

// errLarge is the error for an answer that exceeds its limit.
var errLarge = errors.New("its answer is too large")

// decode reads JSON of at most most bytes.
func decode(answer *http.Response, most int64, into any) error {
	err := json.NewDecoder(http.MaxBytesReader(nil, answer.Body, most)).Decode(into)
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return fmt.Errorf("%w (more than %d MiB)", errLarge, most>>20)
	}
	return err
}

// ErrAddress means that a source's address is not valid.
var ErrAddress = errors.New("write an address of the form http://host:port")

// address parses an http or https URL and takes the credentials out of it, which
// would otherwise end up in errors and in the report. It rejects a query, which may
// hold a token. A bare host:port becomes http. Its errors do not show the address.
func address(text string, a *Access) (*url.URL, error) {
	if strings.ContainsAny(text, "?#") {
		return nil, fmt.Errorf("%w, without a query or fragment (? or #)", ErrAddress)
	}
	if isHostPort(text) {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, ErrAddress // the parser's error repeats the address, including any password
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

// isHostPort reports whether the text is an address without a scheme. It requires
// a port: without one, a word is more likely a mistake.
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
