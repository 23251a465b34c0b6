package front

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// v2 is the signature of version 2, then a header's version and command, its
// family, its length and its addresses.
const (
	v2      = "\r\n\r\n\x00\r\nQUIT\n"
	v2TCP4  = v2 + "\x21\x11\x00\x0c\xc6\x33\x64\x05\x0a\x00\x00\x02\x12\x67\x00\x50"
	v2TCP6  = v2 + "\x21\x21\x00\x24" + v6Src + v6Dst + "\x12\x67\x00\x50"
	v2Local = v2 + "\x20\x00\x00\x00"
	v6Src   = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07"
	v6Dst   = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	v1TCP4  = "PROXY TCP4 198.51.100.5 10.0.0.2 4711 80\r\n"
)

var proxyHeaders = []struct {
	name, header string
	client       string // "" = refused, caller = the socket's own
}{
	{"1", v1TCP4, "198.51.100.5:4711"},
	{"1, IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n", "[2001:db8::7]:4711"},
	{"1, mapped", "PROXY TCP6 ::ffff:198.51.100.5 ::ffff:10.0.0.1 4711 80\r\n", "198.51.100.5:4711"},
	{"1, unknown", "PROXY UNKNOWN\r\n", caller},
	{"1, unknown with addresses", "PROXY UNKNOWN 2001:db8::7 ::1 4711 80\r\n", caller},
	{"1, the longest", "PROXY UNKNOWN " + strings.Repeat("f", 91) + "\r\n", caller},
	{"1, too long", "PROXY UNKNOWN " + strings.Repeat("f", 92) + "\r\n", ""},
	{"1, much too long", "PROXY UNKNOWN " + strings.Repeat("f", 5000) + "\r\n", ""},
	{"1, nonsense", "PROXY TCP4 nonsense\r\n", ""},
	{"1, without CR", "PROXY TCP4 198.51.100.5 10.0.0.2 4711 80\n", ""},
	{"1, another word", "PROXYING TCP4 198.51.100.5 10.0.0.2 4711 80\r\n", ""},
	{"2", v2TCP4, "198.51.100.5:4711"},
	{"2, IPv6", v2TCP6, "[2001:db8::7]:4711"},
	{"2, extensions", v2 + "\x21\x11\x00\x0f\xc6\x33\x64\x05\x0a\x00\x00\x02\x12\x67\x00\x50\x04\x00\x00", "198.51.100.5:4711"},
	{"2, local", v2Local, caller},
	{"2, local with addresses", v2 + "\x20\x11\x00\x0c\xc6\x33\x64\x05\x0a\x00\x00\x02\x12\x67\x00\x50", caller},
	{"2, UNIX socket", v2 + "\x21\x31\x00\xd8" + strings.Repeat("/", 216), caller},
	{"2, datagrams", v2 + "\x21\x12\x00\x0c\xc6\x33\x64\x05\x0a\x00\x00\x02\x12\x67\x00\x50", caller},
	{"2, another version", v2 + "\x31\x11\x00\x0c\xc6\x33\x64\x05\x0a\x00\x00\x02\x12\x67\x00\x50", ""},
	{"2, another family", v2 + "\x21\x41\x00\x00", ""},
	{"2, too short for its family", v2 + "\x21\x11\x00\x04\xc6\x33\x64\x05", ""},
	{"another signature", "\r\n\r\n\x00\r\nEXIT\n\x20\x00\x00\x00", ""},
	{"missing", "", ""},
}

func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	for _, tt := range proxyHeaders {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := serve(t, Limits{HeaderTimeout: headerTimeout}, func(o *setup) { o.ProxyProtocolFrom = prefixes("192.0.2.0/24") })
				want := "in http " + tt.client + " GET /a HTTP/1.1"
				for _, size := range []int{1, 3, 14, len(tt.header) + len(get)} {
					got := h.ask(caller, split(tt.header+get, size)...)
					if tt.client == "" && !strings.HasPrefix(got, "malformed http "+caller) || tt.client != "" && got != want {
						t.Errorf("in segments of %d: got %q, want %q", size, got, want)
					}
				}
				if dropped := h.drops(); dropped != "" {
					t.Errorf("dropped %q", dropped)
				}
				// From a stranger the header is refused; what is none may be the first line of something else.
				how := "in http 198.51.100.1:1"
				if strings.HasPrefix(tt.header, "PROXY ") || strings.HasPrefix(tt.header, v2) {
					how = "malformed http 198.51.100.1:1"
				}
				if got := h.ask("198.51.100.1:1", tt.header+get); !strings.HasPrefix(got, how) {
					t.Errorf("from a stranger: %q", got)
				}
			})
		})
	}
}

// A header that says of the caller only that there is one is told from that of a
// balancer's own health check.
func TestAnonymousCallers(t *testing.T) {
	t.Parallel()
	for _, tt := range proxyHeaders {
		c := accepted(&readerConn{Reader: strings.NewReader(tt.header + get)}, NewShared(Limits{}, newGauge().add))
		want := tt.client == caller && !strings.HasPrefix(tt.header, v2+"\x20")
		if _, anonymous, _ := readProxyHeader(c); anonymous != want {
			t.Errorf("%s: anonymous %v", tt.name, anonymous)
		}
	}
}

// Lists and limits are about the caller that the header names.
func TestProxyProtocolNamesTheClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, Limits{HeaderTimeout: headerTimeout, ConnectionsPerClient: 1}, func(o *setup) {
			o.ProxyProtocolFrom, o.Allow = prefixes("192.0.2.0/24"), prefixes("198.51.100.0/24")
		})
		for header, want := range map[string]string{
			v1TCP4: "in tls 198.51.100.5:4711 ",
			"PROXY TCP4 203.0.113.9 10.0.0.2 4711 80\r\n": "barred tls 203.0.113.9:4711 ",
			v2Local: "barred tls " + caller + " ",
		} {
			if got := h.ask(caller, header+clientHello); got != want {
				t.Errorf("%q: got %q, want %q", header, got, want)
			}
		}
		synctest.Wait() // the connections above have left
		far := h.dial("192.0.2.9:1")
		_, _ = io.WriteString(far, v1TCP4+"G")
		synctest.Wait() // this one has been let in
		if got := h.ask(caller, v1TCP4+get); !strings.HasPrefix(got, "limit ") {
			t.Errorf("the client's second connection: %q", got)
		}
	})
}

// A load balancer that connects without a byte is a probe, which is not
// refused; one that sends half a header is waited for, then refused.
func TestProxyProtocolCutShort(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{"": "", "PRO": "malformed http " + caller + " PRO", v2[:5]: "malformed http " + caller + " "} {
		synctest.Test(t, func(t *testing.T) {
			h := serve(t, Limits{HeaderTimeout: headerTimeout}, func(o *setup) { o.ProxyProtocolFrom = prefixes("192.0.2.0/24") })
			if got, dropped := h.ask(caller, raw), h.drops(); got != want || dropped != "" {
				t.Errorf("%q, then its end: %q, dropped %q", raw, got, dropped)
			}
			far, start := h.dial(caller), time.Now()
			_, _ = io.WriteString(far, raw)
			defer time.AfterFunc(headerTimeout+time.Second, func() { _ = far.CloseWrite() }).Stop()
			got, err := io.ReadAll(far)
			if after := time.Since(start).Truncate(headerTimeout); string(got) != want || err != nil || after != headerTimeout {
				t.Errorf("%q, then nothing: %q, %v after %v", raw, got, err, after)
			}
		})
	}
}

// FuzzProxyHeader checks that a header means the same however it is cut into
// segments, that what follows it is kept, and that nothing is consumed of what
// is none.
func FuzzProxyHeader(f *testing.F) {
	for _, tt := range proxyHeaders {
		f.Add([]byte(tt.header + get))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		type result struct {
			client    netip.AddrPort
			anonymous bool
			failed    bool
			rest      string
		}
		read := func(r io.Reader) result {
			c := accepted(&readerConn{Reader: r}, NewShared(Limits{}, newGauge().add))
			client, anonymous, err := readProxyHeader(c)
			rest, _ := io.ReadAll(c)
			return result{client, anonymous, err != nil, string(rest)}
		}
		whole := read(bytes.NewReader(raw))
		if bytewise := read(iotest.OneByteReader(bytes.NewReader(raw))); bytewise != whole {
			t.Errorf("%q: %+v, byte by byte %+v", raw, whole, bytewise)
		}
		switch begins := bytes.HasPrefix(raw, []byte("PROXY ")) || bytes.HasPrefix(raw, []byte(v2)); {
		case whole.failed && whole.rest != string(raw):
			t.Errorf("%q: no header, and left is %q", raw, whole.rest)
		case !whole.failed && (!begins || !strings.HasSuffix(string(raw), whole.rest) || len(whole.rest) == len(raw)):
			t.Errorf("%q: a header, and left is %q", raw, whole.rest)
		case whole.client.IsValid() && (whole.failed || whole.client.Addr().Is4In6()):
			t.Errorf("%q: client %v", raw, whole.client)
		case whole.anonymous && (whole.failed || whole.client.IsValid()):
			t.Errorf("%q: anonymous, client %v, failed %v", raw, whole.client, whole.failed)
		}
	})
}

// readerConn is a connection that is only read.
type readerConn struct {
	net.Conn
	io.Reader
}

func (c *readerConn) Read(p []byte) (int, error)      { return c.Reader.Read(p) }
func (c *readerConn) SetReadDeadline(time.Time) error { return nil }
