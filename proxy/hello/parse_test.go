package hello

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestHighestVersion(t *testing.T) {
	t.Parallel()
	versions := func(v ...uint16) []extension { return []extension{{extSupportedVersions, list16(1, v...)}} }
	for name, c := range map[string]struct {
		legacy uint16
		ext    []extension
		want   uint16
	}{
		"SSL 3.0":                             {VersionSSL3, nil, VersionSSL3},
		"TLS 1.1":                             {VersionTLS11, nil, VersionTLS11},
		"TLS 1.3":                             {VersionTLS12, versions(VersionTLS12, VersionTLS13), VersionTLS13},
		"GREASE first":                        {VersionTLS12, versions(0xfafa, VersionTLS12, VersionTLS11), VersionTLS12},
		"the list says less than the field":   {VersionTLS12, versions(VersionTLS11, VersionTLS10), VersionTLS11},
		"the field cannot say more than 1.2":  {VersionTLS13, nil, VersionTLS12},
		"a field of the future":               {0x0399, nil, VersionTLS12},
		"GREASE alone":                        {VersionTLS12, versions(0x0a0a), 0},
		"a draft of TLS 1.3 is no old client": {VersionTLS12, versions(0x7f1c), 0x7f1c},
	} {
		h, _, err := Parse(records(buildHello(c.legacy, plainSuites, c.ext), 9000))
		if err != nil || h.MaxVersion != c.want || h.LegacyVersion != c.legacy {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
}

func TestEverythingOfAHello(t *testing.T) {
	t.Parallel()
	raw := records(buildHello(VersionTLS12, []uint16{0x2a2a, 0x002f, FallbackSCSV}, []extension{
		{0x3a3a, nil},
		{extServerName, serverName("API.SMSPortal.com.")},
		{extALPN, prefixed(2, append(prefixed(1, []byte("h2")), prefixed(1, []byte("http/1.1"))...))},
		{ExtSupportedGroups, list16(2, 0x1a1a, 29, 23)},
		{ExtPointFormats, []byte{1, 0}},
		{extSignatureAlgorithms, list16(2, 0x0403, 0x0401)},
		{extSessionTicket, []byte("ticket")},
		{extExtendedMaster, nil},
		{0xfe0d, []byte("anything")},
	}), 9000)
	h, n, err := Parse(raw)
	if err != nil || n != len(raw) {
		t.Fatal(n, err)
	}
	got := fmt.Sprintf("%v %04x %04x %x %q %t %q %v %v %04x %t %t %t %t", h.Framing, h.RecordVersion, h.CipherSuites, h.Extensions,
		h.ServerName, h.ServerNameDot, h.ALPN, h.Groups, h.PointFormats, h.SignatureAlgorithms, h.SessionTicket, h.Ticket, h.ExtendedMaster, h.FallbackSCSV)
	want := `tls 0301 [2a2a 002f 5600] [3a3a 0 10 a b d 23 17 fe0d] "api.smsportal.com" true ["h2" "http/1.1"] [6682 29 23] [0] [0403 0401] true true true true`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if h.Random[31] != 31 || !h.Modern() || !h.SNI() || h.HasExtension(1) || !h.HasCipher(0x2f) || h.HasCipher(0x35) {
		t.Errorf("%+v", h)
	}
}

// TestDetach: overwriting what was parsed changes nothing of a detached hello.
func TestDetach(t *testing.T) {
	t.Parallel()
	raw := buildHello(VersionTLS10, plainSuites, []extension{{ExtPointFormats, []byte{3, 0, 1, 2}}})
	raw = records(raw, 9000)
	h, _, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	h.Detach()
	want, library := h.JA4(), h.Library()
	clear(raw)
	if h.Message != nil || string(h.PointFormats) != "\x00\x01\x02" || h.JA4() != want || h.Library() != library || string(h.Compression) != "\x00" {
		t.Errorf("%+v", h)
	}
}

func TestServerNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"api.smsportal.com": "api.smsportal.com", "API.smsportal.COM": "api.smsportal.com", "a.b.": "a.b", "localhost": "localhost",
		"under_score.example": "under_score.example", "a b": "", "a\x00b": "", "a\nb": "", "ümlaut.example": "", "a/b": "",
		strings.Repeat("a", 254): "", ".": "",
	} {
		h, _, err := Parse(records(buildHello(VersionTLS10, plainSuites, []extension{{extServerName, serverName(name)}}), 9000))
		if err != nil || h.ServerName != want || !h.SNI() {
			t.Errorf("%q: %+v, %v", name, h, err)
		}
	}
}

func TestMalformedHellos(t *testing.T) {
	t.Parallel()
	good := buildHello(VersionTLS10, plainSuites, nil)
	withExt := func(e ...extension) []byte { return records(buildHello(VersionTLS10, plainSuites, e), 9000) }
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"HTTP":                       {[]byte("GET / HTTP/1.0\r\n\r\n"), ErrNotTLS},
		"an alert":                   {record(RecordAlert, []byte{2, 40}), ErrNotTLS},
		"record version 2":           {[]byte{22, 2}, ErrNotTLS},
		"an empty handshake record":  {append(record(RecordHandshake, nil), records(good, 9000)...), ErrMalformed},
		"an empty record within":     {append(records(good[:10], 10), record(RecordHandshake, nil)...), ErrMalformed},
		"a record over its size":     {[]byte{22, 3, 1, 0x40, 1}, ErrMalformed},
		"another record within":      {append(records(good[:10], 10), record(RecordAlert, []byte{2, 40})...), ErrNotTLS},
		"a ServerHello":              {records(message(typeServerHello, good), 9000), ErrMalformed},
		"a length of 16 MiB":         {record(RecordHandshake, []byte{1, 0xff, 0xff, 0xff}), ErrTooLarge},
		"cut short inside":           {records(message(typeClientHello, good[4:30]), 9000), ErrMalformed},
		"odd suites":                 {records(message(typeClientHello, append(append(slices.Clone(good[4:38]), 0), 0, 3, 1, 2, 3, 1, 0)), 9000), ErrMalformed},
		"bytes behind the end":       {records(message(typeClientHello, append(slices.Clone(good[4:]), 1)), 9000), ErrMalformed},
		"an extension twice":         {withExt(extension{21, nil}, extension{21, nil}), ErrMalformed},
		"a large extension twice":    {withExt(extension{0x4469, nil}, extension{0x4469, nil}), ErrMalformed},
		"two names":                  {withExt(extension{extServerName, prefixed(2, []byte("\x00\x00\x01a\x00\x00\x01b"))}), ErrMalformed},
		"an empty name":              {withExt(extension{extServerName, prefixed(2, []byte("\x00\x00\x00"))}), ErrMalformed},
		"no names":                   {withExt(extension{extServerName, []byte{0, 0}}), ErrMalformed},
		"empty groups":               {withExt(extension{ExtSupportedGroups, []byte{0, 0}}), ErrMalformed},
		"odd groups":                 {withExt(extension{ExtSupportedGroups, []byte{0, 1, 1}}), ErrMalformed},
		"odd versions":               {withExt(extension{extSupportedVersions, []byte{1, 3}}), ErrMalformed},
		"empty formats":              {withExt(extension{ExtPointFormats, []byte{0}}), ErrMalformed},
		"empty protocol":             {withExt(extension{extALPN, []byte{0, 1, 0}}), ErrMalformed},
		"a byte behind signatures":   {withExt(extension{extSignatureAlgorithms, []byte{0, 2, 4, 1, 0}}), ErrMalformed},
		"SSL 2.0, another message":   {[]byte{0x80, 40, 2}, ErrNotTLS},
		"SSL 2.0, version 5":         {[]byte{0x80, 40, 1, 5}, ErrNotTLS},
		"SSL 2.0, too short":         {append([]byte{0x80, 10, 1, 3, 1}, make([]byte, 8)...), ErrMalformed},
		"SSL 2.0, short challenge":   {sslv2Hello(VersionTLS10, []uint32{0x2f}, make([]byte, 16), make([]byte, 15)), ErrMalformed},
		"SSL 2.0, long challenge":    {sslv2Hello(VersionTLS10, []uint32{0x2f}, nil, make([]byte, 33)), ErrMalformed},
		"SSL 2.0, long session":      {sslv2Hello(VersionTLS10, []uint32{0x2f}, make([]byte, 33), make([]byte, 16)), ErrMalformed},
		"SSL 2.0, no ciphers":        {sslv2Hello(VersionTLS10, nil, make([]byte, 16), make([]byte, 16)), ErrMalformed},
		"SSL 2.0, lengths disagree":  {longer(sslv2Hello(VersionTLS10, []uint32{0x2f}, nil, make([]byte, 16))), ErrMalformed},
		"bare bytes above SSL 2.0's": {[]byte{0xff, 0xff, 0xff}, ErrNotTLS},
	} {
		_, _, err := Parse(c.raw)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if _, raw, err2 := Read(iotest.OneByteReader(bytes.NewReader(c.raw)), MaxSize); err2 == nil || !bytes.HasPrefix(c.raw, raw) {
			t.Errorf("%s, byte by byte: %v", name, err2)
		}
	}
}

// longer lets an SSL 2.0 hello end a byte later than its parts say.
func longer(raw []byte) []byte {
	raw[1]++
	return append(raw, 0)
}

func TestSSLv2Framing(t *testing.T) {
	t.Parallel()
	challenge := bytes.Repeat([]byte{7}, 16)
	raw := sslv2Hello(VersionTLS10, []uint32{0x2f, 0x010080, 0xff, 0x0700c0}, bytes.Repeat([]byte{9}, 16), challenge)
	for cut := range raw {
		_, need, err := Parse(raw[:cut])
		if !errors.Is(err, ErrIncomplete) || need <= cut || need > len(raw) {
			t.Fatalf("%d of %d bytes: need %d, %v", cut, len(raw), need, err)
		}
	}
	h, n, err := Parse(append(raw, 22, 3))
	if err != nil || n != len(raw) {
		t.Fatal(n, err)
	}
	if h.Framing != SSLv2 || h.RecordVersion != VersionSSL2 || h.MaxVersion != VersionTLS10 ||
		!slices.Equal(h.CipherSuites, []uint16{0x2f, 0xff}) || !slices.Equal(h.SSLv2Ciphers, []uint32{0x010080, 0x0700c0}) {
		t.Errorf("%+v", h)
	}
	if !bytes.Equal(h.Random[:16], make([]byte, 16)) || !bytes.Equal(h.Random[16:], challenge) || !bytes.Equal(h.Message, raw[2:]) {
		t.Errorf("random %x, message %x", h.Random, h.Message)
	}
}

func TestReadKeepsToItsLimitAndItsReader(t *testing.T) {
	t.Parallel()
	big := records(buildHello(VersionTLS12, plainSuites, []extension{{21, make([]byte, 20000)}}), 16000)
	if _, _, err := Read(bytes.NewReader(big), len(big)); err != nil {
		t.Errorf("a limit of exactly its size: %v", err)
	}
	for _, limit := range []int{len(big) - 1, 5000, 100} {
		if _, raw, err := Read(bytes.NewReader(big), limit); !errors.Is(err, ErrTooLarge) || len(raw) > limit && len(raw) > readChunk {
			t.Errorf("limit %d: %d bytes, %v", limit, len(raw), err)
		}
	}
	if _, _, err := Read(strings.NewReader(""), MaxSize); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("nothing: %v", err)
	}
	if _, raw, err := Read(bytes.NewReader(big[:100]), MaxSize); !errors.Is(err, io.ErrUnexpectedEOF) || len(raw) != 100 {
		t.Errorf("half: %d bytes, %v", len(raw), err)
	}
	if _, _, err := Read(iotest.ErrReader(io.ErrClosedPipe), MaxSize); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("broken: %v", err)
	}
	if _, _, err := Read(emptyReader{}, MaxSize); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that gives nothing: %v", err)
	}
	early := append(slices.Clone(big), "early data"...)
	if _, raw, err := Read(bytes.NewReader(early), MaxSize); err != nil || !bytes.HasPrefix(early, raw) {
		t.Errorf("with early data: %v", err)
	}
}

// TestReadWithin: only a hello that is larger than usual asks for memory.
func TestReadWithin(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]bool{300: false, 12_000: false, 40_000: true, 60_000: true} {
		raw := records(buildHello(VersionTLS12, plainSuites, []extension{{21, make([]byte, size)}}), 16000)
		asked := 0
		h, _, err := ReadWithin(bytes.NewReader(raw), MaxSize, func(n int) bool { asked += n; return true })
		if err != nil || h == nil || (asked > 0) != want || asked > 2*(MaxSize-Usual) {
			t.Errorf("%d: asked for %d bytes, %v", size, asked, err)
		}
		_, _, err = ReadWithin(bytes.NewReader(raw), MaxSize, func(int) bool { return false })
		if errors.Is(err, ErrTooLarge) != want {
			t.Errorf("%d, none free: %v", size, err)
		}
	}
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, nil }

func BenchmarkParse(b *testing.B) {
	for _, c := range readCaptured(b) {
		if !strings.HasPrefix(c.client, "curl 7.88") && !strings.Contains(c.client, "Java 17, TLSv1") {
			continue
		}
		b.Run(strings.ReplaceAll(c.client, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Parse(c.raw); err != nil {
					b.Fatal(err)
				}
			}
		})
		h, _, _ := Parse(c.raw)
		b.Run("JA4_of_"+strings.ReplaceAll(c.client, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.JA4()
			}
		})
	}
}
