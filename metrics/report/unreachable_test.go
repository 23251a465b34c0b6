package report

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
)

// dialling is the error of a transport that cannot connect.
func dialling(err error) http.RoundTripper {
	return roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestWhyThereIsNoAnswer covers what needs a network to go wrong; the rest is in
// test/e2e.
func TestWhyThereIsNoAnswer(t *testing.T) {
	t.Parallel()
	late := &net.DNSError{Err: "server misbehaving", Name: "tlslift.example", IsTimeout: true}
	for name, c := range map[string]struct {
		transport http.RoundTripper
		want      string
	}{
		"no such host":      {dialling(&net.DNSError{Err: "no such host", Name: "tlslift.example", IsNotFound: true}), "there is no host tlslift.example: correct the name, or give an IP address"},
		"no DNS":            {dialling(late), "cannot resolve tlslift.example (server misbehaving): give an IP address, or check this machine's DNS"},
		"a silent firewall": {dialling(context.DeadlineExceeded), "no connection within 10s: correct the address, or let this machine through the firewall"},
		"no route":          {dialling(&net.AddrError{Err: "no route to host"}), "no connection: no route to host; correct the address"},
		"no proxy": {roundTripper(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "proxyconnect", Err: late}
		}), "correct HTTP_PROXY and HTTPS_PROXY, or add tlslift.example to NO_PROXY"},
	} {
		_, err := FromAdmin(t.Context(), "http://tlslift.example:9128", Access{Transport: c.transport})
		if err == nil || !strings.HasPrefix(err.Error(), "reading admin http://tlslift.example:9128: ") || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		hangs := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		_, err := FromAdmin(t.Context(), "http://127.0.0.1:9128", Access{Transport: hangs})
		if err == nil || !strings.HasSuffix(err.Error(), ": no answer within 2 minutes: is this tlslift's admin address?") {
			t.Error(err)
		}
	})
}

// endless is the body of an answer that does not end.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	text := b
	if e.read == 0 {
		text = b[copy(b, `{"status":"`):]
	}
	for i := range text {
		text[i] = 'x'
	}
	e.read += len(b)
	return len(b), nil
}

func (*endless) Close() error { return nil }

// An answer is read within a bound, which its error names.
func TestAnAnswerThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ask   func(Access) error
		bound int
		want  string
	}{
		{func(a Access) error {
			_, err := FromAdmin(t.Context(), "http://tlslift.example:9128", a)
			return err
		}, maxAnswer, "it does not answer as tlslift's admin address does: its answer is too large (more than 16 MiB); " + giveAdmin},
		{func(a Access) error {
			_, err := FromPrometheus(t.Context(), PrometheusOptions{URL: "http://prometheus.example", Access: a, Now: now})
			return err
		}, maxVector, "its answer is too large (more than 64 MiB): correct the address, or give a shorter --lookback"},
	} {
		body := new(endless)
		err := c.ask(Access{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, nil
		})})
		if err == nil || !strings.HasSuffix(err.Error(), ": "+c.want) || body.read > 2*c.bound {
			t.Errorf("%v after %d bytes, want %s", err, body.read, c.want)
		}
	}
}

// A certificate that nobody here knows is told from a server without TLS.
func TestACertificateThatDoesNotVerify(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	_, err := FromAdmin(t.Context(), s.URL, Access{})
	if err == nil || !strings.Contains(err.Error(), "its certificate does not verify: x509: ") || !strings.Contains(err.Error(), "add its CA to those of this machine") {
		t.Error(err)
	}
	u, _ := url.Parse(s.URL)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	go func() { // a server that answers everything with a TLS alert
		c, err := plain.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Read(make([]byte, 4096))
		_, _ = c.Write([]byte{0x15, 3, 1, 0, 2, 2, 10})
	}()
	u.Host = plain.Addr().String()
	if _, err = FromAdmin(t.Context(), "http://"+u.Host, Access{}); err == nil || !strings.HasSuffix(err.Error(), ": it speaks TLS: write https://"+u.Host) {
		t.Error(err)
	}
}
