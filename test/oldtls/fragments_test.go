package oldtls

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// chopped sends what its client says first, the hello, in pieces.
type chopped struct {
	net.Conn
	recordSize  int // of TLS records; 0 = as they are
	segmentSize int // of writes; 0 = all at once
	said        bool
}

func (c *chopped) Write(p []byte) (int, error) {
	if c.said {
		return c.Conn.Write(p)
	}
	c.said = true
	wire := p
	if c.recordSize > 0 {
		wire = records(payload(p), c.recordSize)
	}
	if c.segmentSize == 0 {
		c.segmentSize = len(wire)
	}
	for piece := range slices.Chunk(wire, c.segmentSize) {
		if _, err := c.Conn.Write(piece); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// payload is what TLS records hold.
func payload(wire []byte) []byte {
	var all []byte
	for len(wire) > 5 {
		size := int(wire[3])<<8 + int(wire[4])
		all = append(all, wire[5:5+size]...)
		wire = wire[5+size:]
	}
	return all
}

// TestFragmentedHellos: a hello may come a byte at a time, in segments, in
// records, or both, whether it is spliced or terminated.
func TestFragmentedHellos(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	for _, pieces := range []chopped{{segmentSize: 1}, {recordSize: 1}, {recordSize: 1, segmentSize: 1}, {recordSize: 7, segmentSize: 5}, {recordSize: 100}} {
		for _, w := range ways {
			for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
				name := fmt.Sprintf("%s %s, records of %d, segments of %d", w.name, words[version], pieces.recordSize, pieces.segmentSize)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					roots := s.ours
					if version >= tls.VersionTLS12 {
						roots = s.portal.Roots()
					}
					whole := pieces
					whole.Conn = w.open(t, s.in(t), legacy)
					c := harness.NewCaller(t, tls.Client(&whole, speaking(version, roots, legacy)))
					if answer := c.Send(ask(legacy, credits)).Answer("GET"); answer.StatusCode != 200 || answer.Problem() != "" {
						t.Errorf("%d %s", answer.StatusCode, answer.Text)
					}
				})
			}
		}
	}
}

// TestHelloInTheSegmentOfTheConnect: some clients do not wait for the answer.
func TestHelloInTheSegmentOfTheConnect(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS12} {
		wire := "CONNECT " + api + ":443 HTTP/1.0\n\n" + string(spelled{version: version, suites: plainSuites}.wire())
		c := harness.Dial(t, s.Addr()).Send(wire)
		if answer := c.Answer("CONNECT"); answer.StatusCode != 200 {
			t.Fatalf("%d", answer.StatusCode)
		}
		if answer := say(t, c.Bytes(), nil); version < tls.VersionTLS12 && answer.Version != version {
			t.Errorf("%s: %+v", words[version], answer)
		}
	}
}

// TestLargeHellos: nothing is too long that fits the 64 KiB of the protocol's
// implementations.
func TestLargeHellos(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	protocols := func(size int) []string {
		long := make([]string, size/200)
		for i := range long {
			long[i] = fmt.Sprintf("%0199d", i)
		}
		return append(long, "http/1.1")
	}
	for _, w := range ways {
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS12} {
			for _, size := range []int{2 << 10, 17 << 10, 40 << 10, 60 << 10} {
				t.Run(fmt.Sprintf("%s %s %d", w.name, words[version], size), func(t *testing.T) {
					t.Parallel()
					s := s.in(t)
					roots := s.ours
					if version >= tls.VersionTLS12 {
						roots = s.portal.Roots()
					}
					config := speaking(version, roots, legacy)
					config.NextProtos = protocols(size)
					c := s.hello(t, w, legacy, config)
					if answer := c.Send(ask(legacy, credits)).Answer("GET"); answer.StatusCode != 200 {
						t.Errorf("%d %s", answer.StatusCode, answer.Text)
					}
				})
			}
		}
	}
}

// TestALPNIsNeverFatal: an old client that offers only what nobody speaks is
// served all the same.
func TestALPNIsNeverFatal(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	for _, protocol := range []string{"http/1.0", "http/1.1", "spdy/2", "nobody-speaks-this"} {
		config := speaking(tls.VersionTLS10, s.ours, legacy)
		config.NextProtos = []string{protocol}
		if answer := s.hello(t, direct, legacy, config).Send(ask(legacy, credits)).Answer("GET"); answer.StatusCode != 200 {
			t.Errorf("%s: %d", protocol, answer.StatusCode)
		}
	}
}
