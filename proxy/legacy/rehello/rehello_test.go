package rehello

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/hello"
)

// clients are all kinds of client that need the conversion.
func clients() map[string]func(net.Conn) *oldClient {
	all := map[string]func(net.Conn) *oldClient{}
	for _, suite := range convertible {
		for _, challenge := range []int{16, 24, 32} {
			all[fmt.Sprintf("SSL 2.0 framing, %s, challenge of %d", tls.CipherSuiteName(suite), challenge)] = func(c net.Conn) *oldClient {
				return sslv2Client(c, suite, challenge)
			}
		}
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
			all[fmt.Sprintf("dotted name, %s, %s", tls.VersionName(version), tls.CipherSuiteName(suite))] = func(c net.Conn) *oldClient {
				return dottedClient(c, version, suite)
			}
		}
	}
	return all
}

func TestExchange(t *testing.T) {
	t.Parallel()
	for name, dial := range clients() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, server := tcpPair(t)
			done := make(chan error, 1)
			go func() { done <- echo(server) }()
			c := dial(raw)
			if err := c.handshake(); err != nil {
				t.Fatal(err, <-done)
			}
			for _, size := range []int{0, 1, 15, 16, 17, 100, 5000, 16384, 3} {
				sent := make([]byte, size)
				_, _ = rand.Read(sent)
				if err := c.write(23, sent, true); err != nil {
					t.Fatal(err)
				}
				var got []byte
				for len(got) < size {
					typ, data, err := c.read(true)
					if err != nil || typ != 23 {
						t.Fatal(typ, err)
					}
					got = append(got, data...)
				}
				if !bytes.Equal(sent, got) {
					t.Fatalf("%d bytes came back as others", size)
				}
			}
			if err := c.write(21, []byte{1, 0}, true); err != nil {
				t.Fatal(err)
			}
			if _, _, err := c.read(true); !errors.Is(err, alertError(0)) {
				t.Errorf("close_notify: %v", err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// stutter is a connection whose reads, once it is on, end by a deadline before
// every single byte.
type stutter struct {
	net.Conn
	on, late bool
}

func (c *stutter) Read(p []byte) (int, error) {
	if !c.on {
		return c.Conn.Read(p)
	}
	if c.late = !c.late; c.late {
		return 0, tooLate{}
	}
	return c.Conn.Read(p[:1])
}

// tooLate is what crypto/tls takes for a deadline, and for no end.
type tooLate struct{}

func (tooLate) Error() string   { return "too late" }
func (tooLate) Timeout() bool   { return true }
func (tooLate) Temporary() bool { return true }

// TestDeadlineInsideARecord: net/http ends its reads between two requests by a
// deadline, and goes on afterwards. No byte may be lost by that.
func TestDeadlineInsideARecord(t *testing.T) {
	t.Parallel()
	const text = "the next request"
	for name, dial := range clients() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, served := tcpPair(t)
			conn := &stutter{Conn: served}
			done := make(chan error, 1)
			go func() {
				server, err := serve(conn)
				conn.on = true
				for got := 0; err == nil && got < 2*len(text); {
					buf := make([]byte, 100)
					var n int
					if n, err = server.Read(buf); errors.Is(err, tooLate{}) {
						err = nil
					}
					if string(buf[:n]) != text[:n] {
						err = fmt.Errorf("read %q", buf[:n])
					}
					got += n
				}
				done <- err
			}()
			c := dial(raw)
			if err := c.handshake(); err != nil {
				t.Fatal(err, <-done)
			}
			for range 2 {
				if err := c.write(23, []byte(text), true); err != nil {
					t.Fatal(err)
				}
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWithoutConversionTheyAreRefused shows that the conversion is needed.
func TestWithoutConversionTheyAreRefused(t *testing.T) {
	t.Parallel()
	for _, dial := range clients() {
		raw, server := tcpPair(t)
		c := dial(raw)
		go func() { _ = c.handshake() }()
		if err := tls.Server(server, serverConfig()).Handshake(); err == nil {
			t.Fatal("crypto/tls takes it")
		}
		raw.Close()
	}
}

// TestForgedFinishedIsRefused flips every bit of the record with the client's
// Finished, one at a time: the handshake must fail the same way each time.
func TestForgedFinishedIsRefused(t *testing.T) {
	t.Parallel()
	const bodySize = 36 // the least, of RC4
	for _, suite := range []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_RC4_128_SHA} {
		for i := range bodySize {
			t.Run(fmt.Sprintf("%s byte %d", tls.CipherSuiteName(suite), i), func(t *testing.T) {
				t.Parallel()
				raw, server := tcpPair(t)
				done := make(chan error, 1)
				go func() { _, err := serve(server); server.Close(); done <- err }()
				c := sslv2Client(raw, suite, 16)
				c.tamper = func(rec []byte) { rec[hello.RecordHeader+i] ^= 1 << (i % 8) }
				if err := c.handshake(); err == nil {
					t.Error("the client was served")
				}
				if err := <-done; err == nil || !strings.Contains(err.Error(), "bad record MAC") {
					t.Errorf("%v", err)
				}
			})
		}
	}
}

// TestWrongFinishedIsRefused has a client with the right keys and another
// view of the handshake.
func TestWrongFinishedIsRefused(t *testing.T) {
	t.Parallel()
	for name, dial := range clients() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, server := tcpPair(t)
			done := make(chan error, 1)
			go func() { _, err := serve(server); server.Close(); done <- err }()
			c := dial(raw)
			c.finishedOf = func(data []byte) { data[11] ^= 1 }
			if err := c.handshake(); err == nil {
				t.Error("the client was served")
			}
			if err := <-done; err == nil || !strings.Contains(err.Error(), "Finished") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestChangedHelloIsNoticed has a man in the middle who turns a TLS hello
// into one in SSL 2.0 framing that asks for the same: the client must see it.
func TestChangedHelloIsNoticed(t *testing.T) {
	t.Parallel()
	raw, server := tcpPair(t)
	done := make(chan error, 1)
	go func() { _, err := serve(server); server.Close(); done <- err }()
	c := sslv2Client(raw, tls.TLS_RSA_WITH_AES_128_CBC_SHA, 32)
	h, _, err := hello.Parse(c.hello)
	if err != nil {
		t.Fatal(err)
	}
	// The client believes to have sent just what crypto/tls will be shown.
	c.covered = synthetic(h)
	if err := c.handshake(); err == nil {
		t.Error("the client did not notice")
	}
	<-done
}

func TestForgedDataIsRefused(t *testing.T) {
	t.Parallel()
	for name, dial := range clients() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, server := tcpPair(t)
			done := make(chan error, 1)
			go func() { done <- echo(server) }()
			c := dial(raw)
			if err := c.handshake(); err != nil {
				t.Fatal(err)
			}
			c.tamper = func(rec []byte) { rec[hello.RecordHeader] ^= 1 }
			if err := c.write(23, []byte("forged"), true); err != nil {
				t.Fatal(err)
			}
			if _, _, err := c.read(true); !errors.Is(err, alertError(20)) {
				t.Errorf("%v, want bad_record_mac", err)
			}
			<-done
		})
	}
}

func TestOddRecordsEndTheHandshake(t *testing.T) {
	t.Parallel()
	for name, sends := range map[string][]byte{
		"CCS at once":         {20, 3, 1, 0, 1, 1, 22, 3, 1, 0, 48},
		"Finished at once":    append([]byte{20, 3, 1, 0, 1, 1, 22, 3, 1, 0, 48}, make([]byte, 48)...),
		"too large":           {22, 3, 1, 0x48, 1, 0, 0},
		"an alert":            {21, 3, 1, 0, 2, 2, 40},
		"application data":    {23, 3, 1, 0, 1, 0},
		"an empty message":    {22, 3, 1, 0, 0},
		"garbage":             []byte("GET / HTTP/1.0\r\n\r\n"),
		"another hello":       sslv2Client(nil, tls.TLS_RSA_WITH_AES_128_CBC_SHA, 16).hello,
		"half a key exchange": {22, 3, 1, 1, 6, 16, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, server := tcpPair(t)
			done := make(chan error, 1)
			go func() { _, err := serve(server); server.Close(); done <- err }()
			c := sslv2Client(raw, tls.TLS_RSA_WITH_AES_128_CBC_SHA, 16)
			if _, err := raw.Write(append(slices.Clone(c.hello), sends...)); err != nil {
				t.Fatal(err)
			}
			_ = raw.(*net.TCPConn).CloseWrite()
			if err := <-done; err == nil {
				t.Error("a handshake came of it")
			}
		})
	}
}

func TestNeeded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		h    hello.ClientHello
		want bool
	}{
		{hello.ClientHello{Framing: hello.SSLv2, LegacyVersion: 0x0301, MaxVersion: 0x0301}, true},
		{hello.ClientHello{Framing: hello.SSLv2, LegacyVersion: 0x0303, MaxVersion: 0x0303}, true},
		{hello.ClientHello{Framing: hello.SSLv2, LegacyVersion: 0x0300, MaxVersion: 0x0300}, false},
		{hello.ClientHello{Framing: hello.SSLv2, LegacyVersion: 0x0002, MaxVersion: 0x0002}, false},
		{hello.ClientHello{LegacyVersion: 0x0301, MaxVersion: 0x0301}, false},
		{hello.ClientHello{LegacyVersion: 0x0301, MaxVersion: 0x0301, ServerNameDot: true}, true},
		{hello.ClientHello{LegacyVersion: 0x0303, MaxVersion: 0x0303, ServerNameDot: true}, false},
	} {
		if got := Needed(&c.h); got != c.want {
			t.Errorf("%+v: %t", c.h, got)
		}
	}
}

func TestSecretsAreForgotten(t *testing.T) {
	t.Parallel()
	raw, server := tcpPair(t)
	c := sslv2Client(raw, tls.TLS_RSA_WITH_AES_128_CBC_SHA, 16)
	done := make(chan error, 1)
	go func() { done <- c.handshake() }()
	h, early, err := hello.Read(server, hello.MaxSize)
	if err != nil {
		t.Fatal(err)
	}
	config := serverConfig()
	conv := Wrap(&replayed{server, early}, h, config).(*converter)
	if err := tls.Server(conv, config).Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if conv.master != nil || conv.given != nil || conv.taken != nil {
		t.Error("the master secret is still there")
	}
	if bytes.Contains(conv.buffer, c.master) || cap(conv.buffer) > keepBuffer {
		t.Errorf("a buffer of %d bytes is kept", cap(conv.buffer))
	}
}

// FuzzClient has a client that says anything after an SSL 2.0 framed hello.
func FuzzClient(f *testing.F) {
	c := sslv2Client(nil, tls.TLS_RSA_WITH_AES_128_CBC_SHA, 16)
	f.Add(c.hello, []byte{})
	f.Add(c.hello, append([]byte{20, 3, 1, 0, 1, 1, 22, 3, 1, 0, 48}, make([]byte, 48)...))
	f.Add(dottedClient(nil, tls.VersionTLS11, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA).hello, []byte{22, 3, 1, 0, 4, 16, 0, 0, 0})
	f.Fuzz(func(t *testing.T, first, then []byte) {
		h, n, err := hello.Parse(first)
		if err != nil || !Needed(h) {
			return
		}
		config := serverConfig()
		in := bytes.NewReader(append(slices.Clone(first[:n]), then...))
		if err := tls.Server(Wrap(&scripted{in}, h, config), config).Handshake(); err == nil {
			t.Error("a handshake with nobody")
		}
	})
}

// FuzzHalf moves any record through one direction: what does not match comes
// out as it went in, whatever its size.
func FuzzHalf(f *testing.F) {
	f.Add(uint8(0), false, make([]byte, 48))
	f.Add(uint8(2), true, make([]byte, 47))
	f.Add(uint8(3), false, make([]byte, 36))
	f.Fuzz(func(t *testing.T, which uint8, explicit bool, body []byte) {
		s, _ := suiteByID(convertible[int(which)%len(convertible)])
		version := uint16(tls.VersionTLS10)
		if explicit {
			version = tls.VersionTLS11
		}
		in, _ := s.halves(make([]byte, masterSize), [32]byte{}, [32]byte{1}, version)
		record := append([]byte{22, 3, 1, 0, 0}, body...)
		before := slices.Clone(record)
		want, give := make([]byte, finishedSize), bytes.Repeat([]byte{1}, finishedSize)
		in.swap(record, want, give)
		if !bytes.Equal(before, record) {
			t.Fatal("a record that does not match was changed")
		}
		in.rechain(record)
		if !bytes.Equal(before, record) {
			t.Fatal("the chains differ though nothing was replaced")
		}
	})
}

// scripted reads from memory and swallows what is written.
type scripted struct{ io.Reader }

func (*scripted) Write(p []byte) (int, error)      { return len(p), nil }
func (*scripted) Close() error                     { return nil }
func (*scripted) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*scripted) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*scripted) SetDeadline(time.Time) error      { return nil }
func (*scripted) SetReadDeadline(time.Time) error  { return nil }
func (*scripted) SetWriteDeadline(time.Time) error { return nil }
