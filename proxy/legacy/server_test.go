package legacy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tlslift/proxy/call"
)

func TestVersionsAndSuites(t *testing.T) {
	t.Parallel()
	s, _ := newTestServer(t, nil)
	ecdhe, rsa := suites(true)
	known := slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites())
	for _, id := range slices.Concat(ecdhe, rsa) {
		i := slices.IndexFunc(known, func(c *tls.CipherSuite) bool { return c.ID == id })
		for _, version := range known[i].SupportedVersions {
			if version == tls.VersionTLS13 {
				continue
			}
			t.Run(fmt.Sprintf("%s %s", tls.VersionName(version), known[i].Name), func(t *testing.T) {
				t.Parallel()
				got, client, err := handshake(t, s, clientConfig(func(c *tls.Config) {
					c.MaxVersion, c.CipherSuites = version, []uint16{id}
				}), "api.smsportal.com")
				if err != nil || got.err != nil {
					t.Fatal(err, got.err)
				}
				if got.state.Version != version || got.state.CipherSuite != id || got.state.DidResume {
					t.Errorf("%+v", got.state)
				}
				exchange(t, client, got.conn)
			})
		}
	}
}

// exchange sends something each way and closes properly.
func exchange(t *testing.T, client, server *tls.Conn) {
	t.Helper()
	go func() {
		_, _ = client.Write([]byte("ping"))
		_ = client.CloseWrite()
	}()
	got, err := io.ReadAll(server)
	if err != nil || string(got) != "ping" {
		t.Errorf("server read %q, %v", got, err)
	}
	go func() {
		_, _ = server.Write([]byte("pong"))
		server.Close()
	}()
	if got, err = io.ReadAll(client); err != nil || string(got) != "pong" {
		t.Errorf("client read %q, %v", got, err)
	}
}

func TestModernClientKeepsItsVersion(t *testing.T) {
	t.Parallel()
	s, certs := newTestServer(t, nil)
	got, _, err := handshake(t, s, clientConfig(nil), "")
	if err != nil || got.err != nil || got.state.Version != tls.VersionTLS13 {
		t.Fatalf("%+v, %v, %v", got.state, got.err, err)
	}
	if len(certs.asked) != 1 || !certs.asked[0].IsZero() {
		t.Errorf("asked for %q: the SNI is no extra name when nothing else is known", certs.asked)
	}
}

func TestLeafIsForTheHostAndTheNameInTheHello(t *testing.T) {
	t.Parallel()
	s, certs := newTestServer(t, nil)
	got, _, err := handshake(t, s, clientConfig(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS10 }), "www.mymobileapi.com")
	if err != nil || got.err != nil {
		t.Fatal(err, got.err)
	}
	if fmt.Sprint(certs.asked) != "[www.mymobileapi.com api.smsportal.com]" {
		t.Errorf("asked for %q", certs.asked)
	}
}

// TestWhichLeafAClientGets: an ECDSA leaf goes to those alone that take one.
func TestWhichLeafAClientGets(t *testing.T) {
	t.Parallel()
	ecdhe, rsa := suites(true)
	withoutECDSA := slices.DeleteFunc(slices.Clone(ecdhe), func(s uint16) bool { return slices.Contains(ecdsaSuites[:], s) })
	tests := []struct {
		name string
		max  uint16
		edit func(*tls.Config)
		want x509.PublicKeyAlgorithm
	}{
		{"TLS 1.0", tls.VersionTLS10, nil, x509.ECDSA},
		{"TLS 1.1", tls.VersionTLS11, nil, x509.ECDSA},
		{"TLS 1.2", tls.VersionTLS12, nil, x509.ECDSA},
		{"TLS 1.3", tls.VersionTLS13, nil, x509.ECDSA},
		{"ECDSA alone", tls.VersionTLS10, func(c *tls.Config) { c.CipherSuites = ecdsaSuites[:] }, x509.ECDSA},
		{"ECDHE without ECDSA", tls.VersionTLS10, func(c *tls.Config) { c.CipherSuites = withoutECDSA }, x509.RSA},
		{"ECDHE without ECDSA, TLS 1.2", tls.VersionTLS12, func(c *tls.Config) { c.CipherSuites = withoutECDSA }, x509.RSA},
		{"RSA key exchange", tls.VersionTLS10, func(c *tls.Config) { c.CipherSuites = rsa }, x509.RSA},
		{"ECDSA with another cipher", tls.VersionTLS10, func(c *tls.Config) {
			c.CipherSuites = append([]uint16{tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA}, rsa...)
		}, x509.RSA},
		{"no host is named", tls.VersionTLS10, func(c *tls.Config) { c.ServerName, c.InsecureSkipVerify = "", true }, x509.ECDSA},
		{"no host is named, RSA key exchange", tls.VersionTLS10, func(c *tls.Config) {
			c.ServerName, c.InsecureSkipVerify, c.CipherSuites = "", true, append([]uint16{tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA}, rsa...)
		}, x509.RSA},
		{"no host is named, no curve", tls.VersionTLS10, func(c *tls.Config) {
			c.ServerName, c.InsecureSkipVerify, c.CurvePreferences = "", true, []tls.CurveID{tls.CurveP384}
		}, x509.RSA},
		{"no curve of the key", tls.VersionTLS10, func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP384} }, x509.RSA},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, _ := newTestServer(t, nil)
			got, client, err := handshake(t, s, clientConfig(func(c *tls.Config) {
				c.MaxVersion = test.max
				if test.edit != nil {
					test.edit(c)
				}
			}), "api.smsportal.com")
			if err != nil || got.err != nil {
				t.Fatal(err, got.err)
			}
			exchange(t, client, got.conn)
			state := client.ConnectionState()
			if leaf := state.PeerCertificates[0].PublicKeyAlgorithm; leaf != test.want || state.Version != test.max {
				t.Errorf("a leaf of %s over %s, want %s over %s", leaf, tls.VersionName(state.Version), test.want, tls.VersionName(test.max))
			}
		})
	}
}

func TestALPNWithoutOverlapIsNotFatal(t *testing.T) {
	t.Parallel()
	s, _ := newTestServer(t, nil)
	got, client, err := handshake(t, s, clientConfig(func(c *tls.Config) {
		c.MaxVersion, c.NextProtos = tls.VersionTLS10, []string{"http/1.0"}
	}), "")
	if err != nil || got.err != nil || client.ConnectionState().NegotiatedProtocol != "" {
		t.Fatal(err, got.err)
	}
}

func TestSessionsResumeOverConnectionsAndServers(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	tickets, ca := NewTickets(clock, TicketKeys{}), [32]byte{1}
	advance := func(d time.Duration) { mu.Lock(); now = now.Add(d); mu.Unlock() }
	config := clientConfig(func(c *tls.Config) {
		c.MaxVersion, c.ClientSessionCache = tls.VersionTLS11, tls.NewLRUClientSessionCache(1)
	})
	resumes := func() bool {
		t.Helper()
		s, _ := newTestServer(t, func(o *Options) { o.Tickets, o.CA = tickets, ca })
		got, client, err := handshake(t, s, config, "")
		if err != nil || got.err != nil || client.ConnectionState().DidResume != got.state.DidResume {
			t.Fatal(err, got.err)
		}
		return got.state.DidResume
	}
	if resumes() {
		t.Error("the first session was resumed")
	}
	if !resumes() {
		t.Error("a ticket was not accepted")
	}
	tickets = NewTickets(clock, tickets.Keys()) // the process's successor
	if !resumes() {
		t.Error("a ticket was not accepted by the next process")
	}
	ca[0]++
	if resumes() {
		t.Error("a ticket of another CA was accepted")
	}
	advance(2*ticketRotation + ticketRotation/2)
	if !resumes() {
		t.Error("a ticket was not accepted after two rotations")
	}
	// The client now holds a ticket of the present key.
	advance(ticketKeys * ticketRotation)
	if resumes() {
		t.Error("a ticket was accepted whose key should be gone")
	}
}

// A ticket is good for 24 to 36 hours, whatever the constants say.
func TestTicketKeysRotate(t *testing.T) {
	t.Parallel()
	const rotation, kept = 12 * time.Hour, 3
	now := time.Now()
	tickets := NewTickets(func() time.Time { return now }, TicketKeys{})
	keys := func() [][32]byte { return tickets.Keys().Secrets }
	if seen := keys(); len(seen) != 1 || seen[0] != keys()[0] || seen[0] == [32]byte{} {
		t.Fatalf("%d keys at first", len(seen))
	}
	for i := range 5 {
		first := keys()[0]
		now = now.Add(rotation)
		got := keys()
		if len(got) != min(i+2, kept) || got[1] != first || got[0] == first {
			t.Fatalf("rotation %d: %d keys", i, len(got))
		}
	}
	old := keys()
	now = now.Add(100 * rotation)
	if got := keys(); len(got) != 1 || got[0] == old[0] {
		t.Errorf("%d keys after a long pause", len(got))
	}
}

func TestDowngradeIsSignalled(t *testing.T) {
	t.Parallel()
	s, _ := newTestServer(t, nil)
	client, server := tcpPair(t)
	done := make(chan outcome, 1)
	go func() { done <- serve(context.Background(), s, server, "") }()
	if _, err := client.Write(rawHello(t, 0x0301, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA})); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 5+4+2+32)
	if _, err := io.ReadFull(client, head); err != nil {
		t.Fatal(err)
	}
	// RFC 8446 4.1.3: had an attacker lowered the version, the client would see it.
	if got := string(head[len(head)-8:]); got != "DOWNGRD\x00" {
		t.Errorf("the random ends in %q", got)
	}
	client.Close()
	<-done
}

func TestNothingFollowsAFatalAlert(t *testing.T) {
	t.Parallel()
	s, _ := newTestServer(t, nil)
	raw, server := tcpPair(t)
	done := make(chan outcome, 1)
	go func() { done <- serve(context.Background(), s, server, "") }()
	client := tls.Client(raw, clientConfig(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS10 }))
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	got := <-done
	// A record that cannot be opened: the server answers bad_record_mac.
	if _, err := raw.Write(append([]byte{23, 3, 1, 0, 32}, make([]byte, 32)...)); err != nil {
		t.Fatal(err)
	}
	if _, err := got.conn.Read(make([]byte, 1)); err == nil {
		t.Fatal("a forged record was read")
	}
	got.conn.Close()
	answered, err := io.ReadAll(raw)
	if err != nil || len(answered) < 5 || answered[0] != 21 || len(answered) != 5+int(answered[4]) {
		t.Errorf("answered %x, %v; want one alert record", answered, err)
	}
}

func TestRC4IsServedOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	s, _ := newTestServer(t, func(o *Options) { o.RC4 = false })
	got, _, err := handshake(t, s, clientConfig(func(c *tls.Config) {
		c.MaxVersion, c.CipherSuites = tls.VersionTLS10, []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}
	}), "")
	if err == nil || Classify(got.err) != call.HandshakeNoSharedCipher {
		t.Fatalf("%v, %v", got.err, err)
	}
}

func TestSilentAndBrokenClientsLeaveNothing(t *testing.T) {
	t.Parallel()
	hello := rawHello(t, 0x0301, []uint16{0x2f})
	for name, tt := range map[string]struct {
		timeout time.Duration // the broken ones do not wait for it
		sends   [][]byte
		want    []call.HandshakeFailure
	}{
		"silent": {
			300 * time.Millisecond,
			[][]byte{nil, hello[:len(hello)/2], hello},
			[]call.HandshakeFailure{call.HandshakeTimeout, call.HandshakeTimeout, call.HandshakeTimeout},
		},
		"broken": {
			time.Hour,
			[][]byte{[]byte("\x00garbage\xff\xff\xff"), append(hello[:len(hello):len(hello)], "\x16\x03\x01\x00\x00"...)},
			[]call.HandshakeFailure{call.HandshakeNotTLS, call.HandshakeOther},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newTestServer(t, func(o *Options) { o.Timeout = tt.timeout })
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			const each = 200
			outcomes := make(chan outcome, each*len(tt.sends))
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					go func() { outcomes <- serve(context.Background(), s, conn, "") }()
				}
			}()
			want, got := map[call.HandshakeFailure]int{}, map[call.HandshakeFailure]int{}
			for i := range cap(outcomes) {
				conn, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if _, err := conn.Write(tt.sends[i%len(tt.sends)]); err != nil {
					t.Fatal(err)
				}
				want[tt.want[i%len(tt.sends)]]++
			}
			for range cap(outcomes) {
				one := <-outcomes
				if one.err == nil {
					t.Fatal("a handshake with nobody")
				}
				got[Classify(one.err)]++
			}
			if !maps.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

func TestContextEndsAHandshake(t *testing.T) {
	t.Parallel()
	s, _ := newTestServer(t, nil)
	client, server := tcpPair(t)
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := client.Write(rawHello(t, 0x0301, []uint16{0x2f})); err != nil {
		t.Fatal(err)
	}
	done := make(chan outcome, 1)
	go func() { done <- serve(ctx, s, server, "") }()
	head := make([]byte, 5)
	if _, err := io.ReadFull(client, head); err != nil || head[0] != 22 {
		t.Fatalf("%x, %v", head, err)
	}
	cancel()
	if got := <-done; Classify(got.err) != call.HandshakeEOF || !errors.Is(got.err, context.Canceled) {
		t.Errorf("%v", got.err)
	}
}

func TestWatchTellsOfLateDistrust(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client func(*tls.Conn, *net.TCPConn)
		want   call.HandshakeFailure
		calls  int
	}{
		"hangs up":            {func(_ *tls.Conn, raw *net.TCPConn) { raw.Close() }, call.HandshakeNoCall, 1},
		"closes properly":     {func(c *tls.Conn, _ *net.TCPConn) { c.Close() }, call.HandshakeNoCall, 1},
		"asks, then hangs up": {func(c *tls.Conn, _ *net.TCPConn) { _, _ = c.Write([]byte("x")); c.Close() }, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newTestServer(t, nil)
			got, client, err := handshake(t, s, clientConfig(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS10 }), "")
			if err != nil || got.err != nil {
				t.Fatal(err, got.err)
			}
			c.client(client, client.NetConn().(*net.TCPConn))
			var errs []*Error
			w := Watch(got.conn, func(e *Error) { errs = append(errs, e) })
			if _, err := io.ReadAll(w); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Log(err)
			}
			_, _ = w.Read(make([]byte, 1))
			if len(errs) != c.calls || c.calls > 0 && (errs[0].Failure != c.want || !errs[0].Presented) {
				t.Errorf("%v", errs)
			}
			w.Close()
		})
	}
}

// TestWatchKnowsLateAlerts is a client with TLS 1.3, the one kind of
// crypto/tls client that refuses a certificate after the server is done.
func TestWatchKnowsLateAlerts(t *testing.T) {
	t.Parallel()
	s, _ := newTestServer(t, nil)
	raw, server := tcpPair(t)
	done := make(chan outcome, 1)
	go func() { done <- serve(context.Background(), s, server, "") }()
	client := tls.Client(raw, clientConfig(func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }))
	if err := client.Handshake(); err == nil {
		t.Fatal("the client trusts what it does not know")
	}
	got := <-done
	if got.err == nil { // not refused within the handshake
		w := Watch(got.conn, func(e *Error) { got.err = e })
		_, _ = w.Read(make([]byte, 1))
	}
	var e *Error
	if !errors.As(got.err, &e) || e.Failure != call.HandshakeClientRejectedCA || e.Alert != AlertBadCertificate || !e.Presented {
		t.Errorf("%+v", got.err)
	}
}

func TestErrorTellsItsFailure(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("outside: %w", &Error{Failure: call.HandshakeSignature, Err: io.EOF})
	if Classify(err) != call.HandshakeSignature || !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "signature") {
		t.Error(err)
	}
}
