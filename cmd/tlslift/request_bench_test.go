package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tlslift/configs"
	"tlslift/metrics"
	"tlslift/metrics/ledger"
	"tlslift/proxy"
	"tlslift/test/smsportal"
)

// startServer runs a whole proxy in this process, its log thrown away, in front
// of a pretend SMSPortal.
func startServer(tb testing.TB) *proxy.Server {
	tb.Helper()
	portal, err := smsportal.New(smsportal.Options{Keep: 1})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = portal.Close() })
	dir := tb.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	file := filepath.Join(dir, "tlslift.yaml")
	text := fmt.Sprintf("listen: [{address: \"127.0.0.1:0\"}]\nupstreams: [{host: api.smsportal.com, address: %q, ca_file: %q}]\n", portal.Addr(), ca)
	for name, data := range map[string]string{ca: string(portal.CAPEM()), file: text} {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	cfg, err := configs.Load(configs.Source{File: file})
	if err != nil {
		tb.Fatal(err)
	}
	m, err := metrics.New(prometheus.NewRegistry(), metrics.Options{Upstreams: []string{"api.smsportal.com"}})
	if err != nil {
		tb.Fatal(err)
	}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(io.Discard), zap.InfoLevel)
	set, err := settingsOf(cfg, make([]byte, 32))
	if err != nil {
		tb.Fatal(err)
	}
	l := ledger.New(ledger.Options{})
	l.Configure(ledger.Settings{Upstreams: []string{"api.smsportal.com"}})
	s, err := proxy.New(proxy.Options{Settings: set, Logger: zap.New(core), Metrics: m, Ledger: l})
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		tb.Fatal(err)
	}
	go func() { _ = s.Serve() }()
	tb.Cleanup(func() { s.Shutdown(tb.Context()) })
	return s
}

// BenchmarkRequest is one upgraded request on a kept connection, caller and
// upstream included: compare its allocations, not its time, from run to run.
func BenchmarkRequest(b *testing.B) {
	s := startServer(b)
	conn, err := net.Dial("tcp", s.Bound()[0].Addr.String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	request := []byte("GET http://api.smsportal.com/api5/http5.aspx?Type=credits&Username=u&Password=p HTTP/1.1\r\n" +
		"Host: api.smsportal.com\r\nUser-Agent: Java/1.6.0_45\r\nAccept: */*\r\nProxy-Connection: keep-alive\r\n\r\n")
	answers := bufio.NewReader(conn)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(request); err != nil {
			b.Fatal(err)
		}
		length := 0
		for {
			line, err := answers.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if len(line) == 2 {
				break
			}
			_, _ = fmt.Sscanf(string(line), "Content-Length: %d", &length)
		}
		if _, err := answers.Discard(length); err != nil {
			b.Fatal(err)
		}
	}
}
