package wire

import (
	"bufio"
	"strings"
	"testing"
)

func TestReadHeadKeepsEveryByte(t *testing.T) {
	t.Parallel()
	long := "GET /" + strings.Repeat("a", 100<<10) + " HTTP/1.1\r\n\r\n"
	tests := map[string]struct {
		in, head string
		fails    bool
	}{
		"crlf":        {in: "GET / HTTP/1.1\r\nA: b\r\n\r\nrest", head: "GET / HTTP/1.1\r\nA: b\r\n\r\n"},
		"lf":          {in: "GET / HTTP/1.1\nA: b\n\nrest", head: "GET / HTTP/1.1\nA: b\n\n"},
		"long":        {in: long, head: long},
		"interrupted": {in: "GET / HT", head: "GET / HT", fails: true},
		"nothing":     {fails: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			head, err := ReadHead(bufio.NewReader(strings.NewReader(tt.in)))
			if string(head) != tt.head || (err != nil) != tt.fails {
				t.Errorf("%d bytes, %v", len(head), err)
			}
		})
	}
}

func TestReadHeadIsBounded(t *testing.T) {
	t.Parallel()
	head, err := ReadHead(bufio.NewReader(strings.NewReader(strings.Repeat("a", 3*MaxHead))))
	if err == nil || len(head) > MaxHead+8192 {
		t.Errorf("read %d bytes, %v", len(head), err)
	}
}

func TestParseHead(t *testing.T) {
	t.Parallel()
	head, err := ParseHead([]byte("GET /a b?c HTTP/1.0\r\nhost: x\r\nConnection: Keep-Alive\r\n\r\n"))
	if err != nil || head.Method != "GET" || head.Target != "/a b?c" || head.Proto != "HTTP/1.0" || head.Host() != "x" || !head.KeepAlive() {
		t.Errorf("%+v %v", head, err)
	}
	for _, bad := range []string{"GET /\r\n\r\n", "\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n"} {
		if _, err := ParseHead([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestReadBody(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		header, in, body, raw string
		fails                 bool
	}{
		"none":            {in: "next"},
		"length":          {header: "Content-Length: 3", in: "abcd", body: "abc", raw: "abc"},
		"chunked":         {header: "Transfer-Encoding: chunked", in: "2;x\r\nab\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\nnext", body: "ab0123456789", raw: "2;x\r\nab\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n"},
		"short":           {header: "Content-Length: 5", in: "abc", body: "abc", raw: "abc", fails: true},
		"bad length":      {header: "Content-Length: -1", in: "abc", fails: true},
		"bad chunk size":  {header: "Transfer-Encoding: chunked", in: "zz\r\n", raw: "zz\r\n", fails: true},
		"chunk too long":  {header: "Transfer-Encoding: chunked", in: "2\r\nabc\r\n", body: "ab", raw: "2\r\nabc\r\n", fails: true},
		"chunk cut short": {header: "Transfer-Encoding: chunked", in: "5\r\nab", body: "ab", raw: "5\r\nab", fails: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			head, err := ParseHead([]byte("POST / HTTP/1.1\r\n" + tt.header + "\r\n\r\n"))
			if tt.header == "" {
				head, err = ParseHead([]byte("POST / HTTP/1.1\r\n\r\n"))
			}
			if err != nil {
				t.Fatal(err)
			}
			body, raw, err := head.ReadBody(bufio.NewReader(strings.NewReader(tt.in)))
			if string(body) != tt.body || string(raw) != tt.raw || (err != nil) != tt.fails {
				t.Errorf("body %q raw %q err %v", body, raw, err)
			}
		})
	}
}
