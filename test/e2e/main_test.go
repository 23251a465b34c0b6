// Package e2e proves the promises of the design on the built binary: bytes in,
// bytes out, words in log lines and metrics, and never a message sent twice.
package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

const legacyHost = "www.mymobileapi.com"

// way is one way into tlslift.
type way struct {
	name    string
	ingress string // the log's word for it
	open    func(t testing.TB, p *harness.Process) *harness.Caller
	prefix  string // of the request target, before the host; "" = origin form
}

// ways are the ways in that plain HTTP has.
var ways = []way{
	{"forward http", "forward", dial, "http://"},
	{"forward https", "forward", dial, "https://"},
	{"gateway", "gateway", dial, ""},
	{"connect", "connect", tunnel, ""},
}

func dial(t testing.TB, p *harness.Process) *harness.Caller { return harness.Dial(t, p.Addr()) }

func tunnel(t testing.TB, p *harness.Process) *harness.Caller {
	return dial(t, p).Tunnel(legacyHost + ":443")
}

// request spells a request to the legacy host for this way in. lines are
// further header lines, each with its line end.
func (w way) request(method, path, lines, body string) string {
	target := path
	if w.prefix != "" {
		target = w.prefix + legacyHost + path
	}
	return method + " " + target + " HTTP/1.1\r\nHost: " + legacyHost + "\r\n" + lines + "\r\n" + body
}

// portal starts a pretend SMSPortal and a tlslift that leads to it.
func portal(t testing.TB, options smsportal.Options, config string) (*smsportal.Server, *harness.Process) {
	t.Helper()
	server := startPortal(t, options)
	return server, harness.Start(t, harness.Options{Upstream: server, Config: config})
}

func startPortal(t testing.TB, options smsportal.Options) *smsportal.Server {
	t.Helper()
	server, err := smsportal.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

func startFault(t testing.TB, options fault.Options) *fault.Server {
	t.Helper()
	server, err := fault.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// patience bounds a wait for the upstream side.
func patience(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	t.Cleanup(cancel)
	return ctx
}

// lines joins header lines.
func lines(each ...string) string {
	if len(each) == 0 {
		return ""
	}
	return strings.Join(each, "\r\n") + "\r\n"
}

// sendPath is a legacy call that sends one message, told apart by id.
func sendPath(id string) string {
	return "/api5/http5.aspx?Type=sendparam&Username=user&Password=secret&numto=27820000001&data1=hello&customerid=" + id
}

// sendsOf counts how often the message with this id was sent.
func sendsOf(server *smsportal.Server, id string) int {
	total := 0
	for message, n := range server.Sends() {
		if message.CustomerID == id {
			total += n
		}
	}
	return total
}

func asText(value any) string { return fmt.Sprint(value) }

// fault502 is an upstream that reads each request and hangs up.
func fault502() fault.Options {
	return fault.Options{Script: fault.Always(fault.AfterRead(fault.Close))}
}
