package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"tlslift/proxy/host"
)

const benchAnswer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n" +
	"Server: test\r\nContent-Length: 35\r\n\r\n{\"eventId\":1,\"messages\":1,\"cost\":1}"

// benchServer answers every request that fits a read, and allocates nothing
// doing so: what is measured is the client's side, and the system's.
func benchServer(b *testing.B, answer string) (addr string, ca *authority) {
	bytes := []byte(answer)
	s := newServer(b, func(c *serverConn) {
		buf := make([]byte, 4096)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			_, _ = c.Write(bytes)
		}
	})
	return s.addr, s.ca
}

func benchHeader() http.Header {
	return http.Header{
		"Accept": {"*/*"}, "User-Agent": {"Java/1.6.0_45"}, "Authorization": {"Basic dXNlcjpwYXNzd29yZA=="},
		"Accept-Encoding": {"gzip, deflate"}, "Via": {"1.1 tlslift"},
	}
}

// benchLoad runs one request after the other in a few goroutines, so that the
// processor is busy and ns/op is what a request costs, not what waking up does.
func benchLoad(b *testing.B, one func(context.Context) (*http.Response, error)) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.ReportAllocs()
	b.SetParallelism(4)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := one(ctx)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
}

// BenchmarkDo is a keep-alive request on loopback, the server's part included.
func BenchmarkDo(b *testing.B) {
	benchDo(b, benchAnswer)
}

// BenchmarkHold is the same with answers of 1 MB, which are held whole.
func BenchmarkHold(b *testing.B) {
	const size = 1 << 20
	b.SetBytes(size)
	benchDo(b, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size)))
}

func benchDo(b *testing.B, answer string) {
	addr, ca := benchServer(b, answer)
	tr, err := newDefault(Options{Hosts: []Host{Host{Roots: ca.pool}.named(testHost).at(addr)}})
	check(b, err)
	defer tr.Close()
	header := benchHeader()
	benchLoad(b, func(ctx context.Context) (*http.Response, error) {
		r, _ := tr.Snapshot().Route(host.MustParse(testHost))
		ex := newExchange("/api5/http5.aspx?Type=credits")
		req := &http.Request{Method: "GET", Header: header, Body: http.NoBody}
		return tr.Do(ctx, req, r, ex)
	})
}

// BenchmarkHTTPTransport is the same through net/http's Transport.
func BenchmarkHTTPTransport(b *testing.B) {
	addr, ca := benchServer(b, benchAnswer)
	tr := &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: ca.pool, ServerName: testHost, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12},
		DisableCompression:  true,
		MaxIdleConnsPerHost: 256,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, addr)
		},
	}
	defer tr.CloseIdleConnections()
	header := benchHeader()
	benchLoad(b, func(ctx context.Context) (*http.Response, error) {
		req, err := http.NewRequestWithContext(ctx, "GET", "https://"+testHost+"/api5/http5.aspx?Type=credits", nil)
		if err != nil {
			return nil, err
		}
		req.Header = header
		return tr.RoundTrip(req)
	})
}
