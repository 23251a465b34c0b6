package oldtls

import (
	"bufio"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tlslift/proxy/hello"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// simulations are hellos of real clients that testssl.sh comes with, read
// where its package is installed.
const simulations = "/etc/testssl/client-simulation.txt"

// recording is one of them.
type recording struct {
	name  string
	wire  []byte
	hello *hello.ClientHello
}

var recordingLine = regexp.MustCompile(`^\s*(names|handshakebytes)\+=\("(.*)"\)`)

func recordings(t *testing.T) []recording {
	t.Helper()
	file, err := os.Open(simulations)
	if err != nil {
		if os.Getenv("TLSLIFT_INTEROP") == "require" {
			t.Fatal("testssl.sh is not installed; run test/interop/install.sh")
		}
		t.Skip("NOTHING WAS REPLAYED: testssl.sh is not installed; run test/interop/install.sh")
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	var all []recording
	name := ""
	for lines.Scan() {
		switch m := recordingLine.FindStringSubmatch(lines.Text()); {
		case m == nil:
		case m[1] == "names":
			name = m[2]
		default:
			wire, err := hex.DecodeString(m[2])
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			parsed, _, err := hello.Parse(wire)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all = append(all, recording{name, wire, parsed})
		}
	}
	if len(all) < 150 {
		t.Fatalf("%d recordings were found", len(all))
	}
	return all
}

// everySuite is an upstream that shares a suite with every client that offers TLS 1.2:
// what is proved here is what tlslift does, not what an upstream refuses.
func everySuite() smsportal.Options {
	var suites []uint16
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		suites = append(suites, s.ID)
	}
	return smsportal.Options{RSA: true, CipherSuites: suites}
}

// upstreamsFor leads every name that a recording has to the portal: directly
// those hellos must find their way too.
func upstreamsFor(t *testing.T, server *smsportal.Server, all []recording) (config string, names []string) {
	t.Helper()
	names = slices.Clone(harness.UpstreamHosts)
	for _, r := range all {
		if name := r.hello.ServerName; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	caFile := harness.TempFile(t, "portal.pem", string(server.CAPEM()))
	var b strings.Builder
	fmt.Fprintf(&b, "listen: [{address: '127.0.0.1:0', default_upstream: %s}]\n", api)
	b.WriteString("legacy_tls: {min_version: '1.0', allow_unconstrained_ca: true}\nupstreams:\n")
	for _, name := range names {
		b.WriteString(harness.UpstreamEntry(name, server, caFile, ""))
	}
	return b.String(), names
}

// tally is what became of the recordings.
type tally struct{ terminated, spliced, refused int }

// TestRecordedClientsAreAnswered replays every recorded hello, by CONNECT and
// directly. Each gets a ServerHello: ours, below 1.2, or the upstream's when
// it is spliced; but for those that end at SSL 3.0, and those are counted.
func TestRecordedClientsAreAnswered(t *testing.T) {
	t.Parallel()
	all := recordings(t)
	server := portal(t, everySuite())
	config, names := upstreamsFor(t, server, all)
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			files := newCA(t, names)
			s := &stage{portal: server, Process: harness.Start(t, harness.Options{
				Config: config, Env: []string{"TLSLIFT_CA_CERT=" + files.CA, "TLSLIFT_CA_KEY=" + files.Key},
			})}
			var total tally
			for _, r := range all {
				s.replay(t, w, r, &total)
			}
			t.Logf("%d recordings by %s: %d terminated below 1.2, %d spliced at 1.2 or 1.3, %d refused (SSL 3.0 alone)",
				len(all), w.name, total.terminated, total.spliced, total.refused)
			s.WaitMetric(float64(total.refused), "tlslift_client_handshake_failures_total", "reason", "version")
			s.WaitMetric(float64(len(all)), "tlslift_client_hellos_total") // each is counted when its connection has ended
			m := s.Metrics()
			for _, reason := range []string{"version", "no_shared_cipher", "signature", "sslv2_hello", "other"} {
				want := 0.0
				if reason == "version" {
					want = float64(total.refused)
				}
				if got := m.Sum("tlslift_client_handshake_failures_total", "reason", reason); got != want {
					t.Errorf("%v failures were counted for %s, want %v", got, reason, want)
				}
			}
			if got := m.Sum("tlslift_client_hellos_total"); got != float64(len(all)) {
				t.Errorf("%v of %d hellos were counted", got, len(all))
			}
		})
	}
}

// TestRecordedClientsAreAllAnsweredByUs: where the operator has every client
// terminated, modern ones too, each gets a ServerHello of ours.
func TestRecordedClientsAreAllAnsweredByUs(t *testing.T) {
	t.Parallel()
	all := recordings(t)
	s := start(t, smsportal.Options{}, "listen: [{address: '127.0.0.1:0', client: everybody}]\nlegacy_tls: {terminate_clients: [everybody]}")
	answered := 0
	for _, r := range all {
		wire := slices.Clone(r.wire)
		freshRandom(wire)
		conn := connect.open(t, s, api)
		answer, err := trySay(conn, wire)
		_ = conn.Close()
		switch {
		case err != nil:
			t.Errorf("%s: %v", r.name, err)
		case r.hello.MaxVersion < tls.VersionTLS10:
			refused(t, answer, alertProtocolVersion)
		case answer.Refused:
			t.Errorf("%s: alert %d", r.name, answer.Alert)
		default:
			answered++
		}
	}
	t.Logf("%d of %d recordings were answered", answered, len(all))
	if n := s.portal.Connections(); n != 0 {
		t.Errorf("%d connections went up", n)
	}
}

func (s *stage) replay(t *testing.T, w way, r recording, total *tally) {
	t.Helper()
	wire := slices.Clone(r.wire)
	freshRandom(wire)
	conn := w.open(t, s.in(t), api)
	defer conn.Close()
	answer, err := trySay(conn, wire)
	switch {
	case err != nil:
		t.Errorf("%s: %v", r.name, err)
	case r.hello.MaxVersion < tls.VersionTLS10:
		refused(t, answer, alertProtocolVersion)
		total.refused++
	case answer.Refused:
		t.Errorf("%s: alert %d", r.name, answer.Alert)
	case r.hello.Modern() && answer.Version >= tls.VersionTLS12:
		total.spliced++
	case !r.hello.Modern() && answer.Version < tls.VersionTLS12:
		total.terminated++
	default:
		t.Errorf("%s: offers %04x and was answered %04x", r.name, r.hello.MaxVersion, answer.Version)
	}
}
