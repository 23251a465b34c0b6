package front

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"tlslift/proxy/call"
)

const typicalHead = "GET http://www.mymobileapi.com/api5/http5.aspx?Type=sendparam&Username=u&Password=p&numto=27820000000&data1=hello HTTP/1.1\r\n" +
	"Host: www.mymobileapi.com\r\nUser-Agent: Java/17.0.15\r\nAccept: text/html, image/gif, image/jpeg, */*; q=0.2\r\n" +
	"Proxy-Connection: keep-alive\r\n\r\n"

func BenchmarkJudge(b *testing.B) {
	head := []byte(typicalHead)
	b.ReportAllocs()
	b.SetBytes(int64(len(head)))
	for b.Loop() {
		from := 0
		var v verdict
		v.judge(head[:headEnd(head, &from)], 10<<20)
		if v.refusal != nil || v.fix != 0 {
			b.Fatal(v)
		}
	}
}

func BenchmarkRepair(b *testing.B) {
	head := []byte("GET /api5/http5.aspx?data1=two words and more HTTP/1.1\r\nHost: www.mymobileapi.com\r\nAccept: */*\r\n\r\n")
	dst := make([]byte, 0, bufferSize)
	b.ReportAllocs()
	for b.Loop() {
		var v verdict
		v.judge(head, 10<<20)
		dst = v.repair(dst[:0], head)
	}
}

// endless delivers the same request again and again, one for a read.
type endless struct {
	scriptConn
	request []byte
}

func (e *endless) Read(p []byte) (int, error) { return copy(p, e.request), nil }

// BenchmarkRead is what a Conn adds to the reading of one request.
func BenchmarkRead(b *testing.B) {
	for name, raw := range map[string]string{
		"plain":    typicalHead,
		"repaired": "GET /a?data1=two words HTTP/1.1\r\nHost: h\r\n\r\n",
		"body":     "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789",
	} {
		b.Run(name, func(b *testing.B) {
			c := NewConn(&endless{request: []byte(raw)}, &call.Conn{}, NewShared(testLimits()))
			p := make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Read(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkKeepAlive compares a request through a Conn with one on a bare
// http.Server, on a connection that is kept.
func BenchmarkKeepAlive(b *testing.B) { compare(b, exchange) }

// BenchmarkNewConnection does so with a connection for each request.
func BenchmarkNewConnection(b *testing.B) { compare(b, reconnect) }

func compare(b *testing.B, run func(*testing.B, string)) {
	b.Run("bare", func(b *testing.B) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Front", "no") // as much work as behind the front
			hello(w, r)
		})}
		go func() { _ = srv.Serve(ln) }()
		b.Cleanup(func() { _ = srv.Close() })
		run(b, ln.Addr().String())
	})
	b.Run("front", func(b *testing.B) {
		h := open(b, testLimits(), hello)
		run(b, h.addr)
	})
}

func exchange(b *testing.B, addr string) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	br := bufio.NewReader(nc)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.WriteString(nc, typicalHead); err != nil {
			b.Fatal(err)
		}
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
	}
}

func reconnect(b *testing.B, addr string) {
	b.ReportAllocs()
	for b.Loop() {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.WriteString(nc, "GET /a HTTP/1.0\r\nHost: h\r\n\r\n"); err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, nc); err != nil {
			b.Fatal(err)
		}
		_ = nc.Close()
	}
}
