package http1

import (
	"errors"
	"strings"
	"testing"
)

var chunkTests = []struct {
	name, raw, data string
	rest            string
	err             error
}{
	{"empty", "0\r\n\r\n", "", "", nil},
	{"one", "5\r\nhello\r\n0\r\n\r\n", "hello", "", nil},
	{"two and what follows", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\nGET", "abc", "GET", nil},
	{"upper-case hex, leading zeros", "00A\r\n0123456789\r\n000\r\n\r\n", "0123456789", "", nil},
	{"line ends in the data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", "", nil},
	{"extension", "1;a=\"b c\";d\r\nx\r\n0;e\r\n\r\n", "x", "", nil},
	{"padded size", "1  \r\nx\r\n0\t\r\n\r\n", "x", "", nil},
	{"trailers", "1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\nGET", "x", "GET", nil},

	{"no size", "\r\nx\r\n0\r\n\r\n", "", "", errChunkSize},
	{"padding before an extension", "1 \t;a\r\nx\r\n0\r\n\r\n", "", "", errChunkSize},
	{"a number behind the padding", "1 2\r\nx\r\n0\r\n\r\n", "", "", errChunkSize},
	{"trailer without a colon", "0\r\nA\r\n\r\n", "", "", errChunkLine},
	{"trailer without a name", "0\r\n: b\r\n\r\n", "", "", errChunkLine},
	{"space in a trailer's name", "0\r\nA : b\r\n\r\n", "", "", errChunkLine},
	{"folded trailer", "0\r\nA: b\r\n c\r\n\r\n", "", "", errChunkLine},
	{"NUL in a trailer", "0\r\nA: \x00\r\n\r\n", "", "", errChunkLine},
	{"sign", "+1\r\nx\r\n0\r\n\r\n", "", "", errChunkSize},
	{"prefix", "0x1\r\nx\r\n0\r\n\r\n", "", "", errChunkSize},
	{"size too long", strings.Repeat("0", 17) + "\r\n", "", "", errChunkSize},
	{"size too large", "4000000000000000\r\n", "", "", errChunkSize},
	{"negative once shifted", "ffffffffffffffff\r\n", "", "", errChunkSize},
	{"bare LF", "1\nx\r\n0\r\n\r\n", "", "", errChunkSize},
	{"bare LF behind an extension", "1;a\nx\r\n0\r\n\r\n", "", "", errChunkSize},
	{"bare CR", "1\rx\r\n0\r\n\r\n", "", "", errChunkLine},
	{"data too long", "1\r\nxy\r\n0\r\n\r\n", "x", "", errChunkEnd},
	{"LF behind the data", "1\r\nx\n0\r\n\r\n", "x", "", errChunkEnd},
	{"NUL in an extension", "1;\x00\r\nx\r\n0\r\n\r\n", "", "", errChunkSize},
	{"endless extension", "1;" + strings.Repeat("a", maxChunkExtras) + "\r\nx\r\n0\r\n\r\n", "", "", errChunkExtras},
	{"endless extensions", strings.Repeat("1;"+strings.Repeat("a", 99)+"\r\nx\r\n", 200), strings.Repeat("x", 163), "", errChunkExtras},
	{"endless trailers", "0\r\n" + strings.Repeat("A: b\r\n", 2000), "", "", errTrailers},
	{"bare LF in the trailers", "0\r\nA: b\n\r\n", "", "", errChunkLine},
	{"bare LF at the end", "0\r\n\n", "", "", errChunkLine},
	{"bare CR in the trailers", "0\r\nA\rB: b\r\n\r\n", "", "", errChunkLine},
}

func TestChunks(t *testing.T) {
	t.Parallel()
	for _, tt := range chunkTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, n := range []int{len(tt.raw), 1, 2, 3, 5} {
				data, used, complete, err := decode([]byte(tt.raw), n)
				if string(data) != tt.data || !errors.Is(err, tt.err) {
					t.Errorf("cut to %d: %q, %v; want %q, %v", n, data, err, tt.data, tt.err)
				}
				if err == nil && (!complete || tt.raw[used:] != tt.rest) {
					t.Errorf("cut to %d: complete %v, rest %q, want %q", n, complete, tt.raw[used:], tt.rest)
				}
			}
		})
	}
}

func TestChunkLimit(t *testing.T) {
	t.Parallel()
	s := chunkScanner{limit: 10}
	if _, _, err := s.next([]byte("a\r\n")); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	for _, raw := range []string{"b\r\n", "fffffffffffffff\r\n"} {
		s := chunkScanner{limit: 10}
		if _, _, err := s.next([]byte(raw)); !errors.Is(err, errBodyTooLarge) {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

// decode runs a chunkScanner over segments of n bytes.
func decode(raw []byte, n int) (data []byte, used int, complete bool, err error) {
	var s chunkScanner
	for len(raw) > 0 && s.state != chunkFinished {
		piece := raw[:min(n, len(raw))]
		for len(piece) > 0 && s.state != chunkFinished {
			d, k, err := s.next(piece)
			if err != nil {
				return data, used + k, false, err
			}
			data = append(data, d...)
			used += k
			piece, raw = piece[k:], raw[k:]
		}
	}
	return data, used, s.state == chunkFinished, nil
}
