package upstream

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

// wantError does one request that must fail before anything was sent.
func wantError(t *testing.T, tr *Transport, r *Route, reason problem.Reason) *Error {
	t.Helper()
	_, _, ex, err := send(tr, r, "GET", "/?secret", "")
	var e *Error
	if !errors.As(err, &e) || e.Reason != reason || e.Delivery != problem.NotSent || ex.Delivery != problem.NotSent {
		t.Errorf("got %v, want %v not_sent", err, reason)
		return &Error{}
	}
	if strings.Contains(e.Error(), "secret") {
		t.Errorf("the error tells too much: %v", e)
	}
	return e
}

func TestVerification(t *testing.T) {
	t.Parallel()
	var ca *authority
	leaf := func(expired bool, names ...string) func(*tls.Config) *tls.Config {
		return func(c *tls.Config) *tls.Config {
			c.Certificates = []tls.Certificate{ca.leaf(t, expired, names...)}
			return c
		}
	}
	ca = newAuthority(t)
	for _, tt := range []struct {
		name   string
		server func(*tls.Config) *tls.Config
		host   func(*Host)
		reason problem.Reason // None = works
	}{
		{"good", leaf(false, testHost), func(*Host) {}, problem.None},
		{"another name", leaf(false, "other.test"), func(*Host) {}, problem.TLSVerify},
		{"expired", leaf(true, testHost), func(*Host) {}, problem.TLSVerify},
		{"unknown authority", leaf(false, testHost), func(h *Host) { h.Roots = newAuthority(t).pool }, problem.TLSVerify},
		{"the system's roots", leaf(false, testHost), func(h *Host) { h.Roots = nil }, problem.TLSVerify},
		{"pin of the root", leaf(false, testHost), func(h *Host) {
			sum := sha256.Sum256(ca.cert.RawSubjectPublicKeyInfo)
			h.Pins = [][32]byte{{}, sum}
		}, problem.None},
		{"wrong pin", leaf(false, testHost), func(h *Host) { h.Pins = [][32]byte{{}} }, problem.TLSVerify},
		{"to", leaf(false, "new.example.test"), func(h *Host) { h.To = host.MustParse("NEW.example.test") }, problem.None},
		{"to, certificate of the old name", leaf(false, testHost), func(h *Host) { h.To = host.MustParse("new.example.test") }, problem.TLSVerify},
		{"TLS 1.1 only", func(c *tls.Config) *tls.Config {
			c = leaf(false, testHost)(c)
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
			return c
		}, func(*Host) {}, problem.TLS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, answerAll, tt.server)
			h := s.host()
			h.Roots = ca.pool
			tt.host(&h)
			obs := &recorder{}
			tr := start(t, s, func(o *Options) { o.Hosts = []Host{h}; o.Observer = obs })
			r := route(t, tr, testHost)
			if tt.reason == problem.None {
				for range 2 {
					wantOK(t, tr, r)
					tr.CloseIdle() // the second handshake resumes
				}
				if obs.count("handshake") != 2 || obs.count("certificate "+testHost) != 2 {
					t.Error(obs.events)
				}
				return
			}
			wantError(t, tr, r, tt.reason)
			_, _, requests := s.counts()
			if accepted, _, _ := s.counts(); tt.reason == problem.TLSVerify && accepted != 1 || requests != 0 {
				t.Errorf("%d connections, %d requests", accepted, requests)
			}
		})
	}
}

func TestMinTLS(t *testing.T) {
	t.Parallel()
	max12 := func(c *tls.Config) *tls.Config { c.MaxVersion = tls.VersionTLS12; return c }
	s := newServer(t, answerAll, max12)
	tr := start(t, s)
	if ex := wantOK(t, tr, route(t, tr, testHost)); ex.TLSVersion != tls.VersionTLS12 {
		t.Errorf("version %#x", ex.TLSVersion)
	}
	tr = start(t, s, func(o *Options) { o.MinTLS = tls.VersionTLS13 })
	wantError(t, tr, route(t, tr, testHost), problem.TLS)
}

func TestHello(t *testing.T) {
	t.Parallel()
	hellos := make(chan *tls.ClientHelloInfo, 1)
	s := newServer(t, answerAll, func(c *tls.Config) *tls.Config {
		c.NextProtos = []string{"h2", "http/1.1"}
		c.GetConfigForClient = func(hi *tls.ClientHelloInfo) (*tls.Config, error) {
			hellos <- hi
			return nil, nil
		}
		return c
	})
	tr := start(t, s)
	wantOK(t, tr, route(t, tr, testHost))
	hi := <-hellos
	if hi.ServerName != testHost || !slices.Equal(hi.SupportedProtos, []string{"http/1.1"}) ||
		!slices.Equal(hi.SupportedVersions, []uint16{tls.VersionTLS13, tls.VersionTLS12}) {
		t.Errorf("%q %v %x", hi.ServerName, hi.SupportedProtos, hi.SupportedVersions)
	}
	for _, id := range hi.CipherSuites {
		for _, bad := range tls.InsecureCipherSuites() {
			if id == bad.ID {
				t.Errorf("offers %s", bad.Name)
			}
		}
	}
}

func TestClientCertificate(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	s := newServer(t, answerAll, func(c *tls.Config) *tls.Config {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool
		return c
	})
	h := s.host()
	cert := ca.leaf(t, false, "client")
	h.ClientCertificate = &cert
	tr := start(t, s, func(o *Options) { o.Hosts = []Host{h} })
	wantOK(t, tr, route(t, tr, testHost))

	// Without it the server refuses. In TLS 1.3 that comes after the request
	// was sent: what became of it is not known.
	tr = start(t, s)
	_, _, ex, err := send(tr, route(t, tr, testHost), "GET", "/", "")
	var e *Error
	if !errors.As(err, &e) || e.Delivery != ex.Delivery || !e.Reason.Upstream() {
		t.Error(err)
	}
	if _, _, requests := s.counts(); requests != 1 {
		t.Errorf("%d requests", requests)
	}
}

// pickyServer judges each ClientHello by the next letter of a script: y takes
// it, a answers with an alert, r resets. It notes the hellos it saw: m modern, c
// classic.
type pickyServer struct {
	*server
	mu     sync.Mutex
	script string
	hellos string
}

func newPickyServer(t *testing.T) *pickyServer {
	p := new(pickyServer)
	p.server = newServer(t, answerAll, func(c *tls.Config) *tls.Config {
		c.GetConfigForClient = p.judge
		return c
	})
	return p
}

func (p *pickyServer) judge(hi *tls.ClientHelloInfo) (*tls.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Contains(hi.SupportedVersions, tls.VersionTLS13) || slices.Contains(hi.SupportedCurves, tls.X25519MLKEM768) {
		p.hellos += "m"
	} else {
		p.hellos += "c"
	}
	verdict := p.script[0]
	p.script = p.script[1:]
	switch verdict {
	case 'y':
		return nil, nil
	case 'r':
		_ = hi.Conn.(*net.TCPConn).SetLinger(0)
		_ = hi.Conn.Close()
	}
	return nil, errors.New("no")
}

// TestClassicHello: a handshake that fails is tried once more with the classic
// hello. Only a host whose modern, classic and modern handshakes gave no, yes,
// no gets the classic hello alone, for a while.
func TestClassicHello(t *testing.T) {
	t.Parallel()
	type step struct {
		script string        // the verdicts
		want   string        // the hellos
		fails  bool          // the request is not sent
		pause  time.Duration // before it
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"one reset", []step{{"ry", "mc", false, 0}, {"y", "m", false, 0}, {"y", "m", false, 0}}},
		{"one alert", []step{{"ay", "mc", false, 0}, {"y", "m", false, 0}}},
		{"no, yes, no", []step{
			{"ry", "mc", false, 0},
			{"ay", "mc", false, 0},
			{"y", "c", false, 0},
			{"y", "c", false, 10*time.Minute - 1},
			{"y", "m", false, 1},
		}},
		{"no, yes, yes, no, yes", []step{{"ry", "mc", false, 0}, {"y", "m", false, 0}, {"ry", "mc", false, 0}, {"y", "m", false, 0}}},
		{"no, yes, no, no, no", []step{{"ry", "mc", false, 0}, {"rr", "mc", true, 0}, {"ry", "mc", false, 0}, {"y", "m", false, 0}}},
		{"always no", []step{{"rr", "mc", true, 0}, {"aa", "mc", true, 0}, {"y", "m", false, 0}}},
		{"no longer classic", []step{
			{"ry", "mc", false, 0},
			{"ry", "mc", false, 0},
			{"y", "c", false, 0},
			{"r", "c", true, 0},
			{"y", "m", false, 0},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, clk, obs := newPickyServer(t), newClock(), &recorder{}
			tr := startWith(t, s.server, clk.now, func(o *Options) { o.Observer = obs })
			r := route(t, tr, testHost)
			retried := 0
			for i, step := range tt.steps {
				clk.advance(step.pause)
				s.mu.Lock()
				s.script, s.hellos = step.script, ""
				s.mu.Unlock()
				if step.fails {
					wantError(t, tr, r, problem.TLS)
				} else if ex := wantOK(t, tr, r); (ex.TLSVersion == tls.VersionTLS13) != strings.HasSuffix(step.want, "m") {
					t.Errorf("step %d: version %#x", i, ex.TLSVersion)
				}
				s.mu.Lock()
				if s.hellos != step.want {
					t.Errorf("step %d: hellos %q, want %q", i, s.hellos, step.want)
				}
				s.mu.Unlock()
				retried += len(step.want) - 1
				if n := obs.count("classic " + testHost); n != retried {
					t.Errorf("step %d: %d classic hellos counted, want %d", i, n, retried)
				}
				tr.CloseIdle()
			}
		})
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	tr := start(t, s)
	addr, state, err := tr.Probe(t.Context(), route(t, tr, testHost))
	check(t, err)
	chain := state.VerifiedChains[0]
	if addr.String() != s.addr || state.Version != tls.VersionTLS13 || len(chain) != 2 || chain[1].Subject.CommonName != "test root" {
		t.Errorf("%v %+v", addr, state)
	}
	var e *Error
	if _, _, err = tr.Probe(t.Context(), foreign(t, tr, s.addr, false)); !errors.As(err, &e) || e.Reason != problem.Host {
		t.Error(err)
	}
	bad := s.host()
	bad.Roots = newAuthority(t).pool
	check(t, tr.Reconfigure(s.options(func(o *Options) { o.Hosts = []Host{bad} })))
	if _, _, err = tr.Probe(t.Context(), route(t, tr, testHost)); !errors.As(err, &e) || e.Reason != problem.TLSVerify {
		t.Error(err)
	}
}
