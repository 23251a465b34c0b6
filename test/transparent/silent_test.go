//go:build linux

package transparent

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"tlslift/test/harness"
)

// accepted serves a listener of a namespace and counts whom it met.
func accepted(t *testing.T, ln net.Listener, serve func(net.Conn)) (met func() int) {
	t.Helper()
	count := make(chan int, 1)
	count <- 0
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			count <- <-count + 1
			go func() { defer c.Close(); serve(c) }()
		}
	}()
	return func() int {
		n := <-count
		count <- n
		return n
	}
}

const banner = "SSH-2.0-server\r\n"

// greet is a server that speaks first, and then repeats one line.
func greet(c net.Conn) {
	_, _ = io.WriteString(c, banner)
	if line, err := bufio.NewReader(c).ReadString('\n'); err == nil {
		_, _ = io.WriteString(c, line)
	}
}

// TestServersThatSpeakFirst: the caller says nothing until the server did.
func TestServersThatSpeakFirst(t *testing.T) {
	n := newNamespace(t)
	met := accepted(t, n.Listen(foreignAddr+":443"), greet)
	// Past a parent proxy, which is not there: it would not take this.
	l := newLabWith(t, n, "upstream: {parent_proxy: 'http://127.0.0.1:9'}\n")
	out, err := l.as(t, "", python, "-c", `
import socket, sys
f = socket.create_connection((sys.argv[1], 443), 20).makefile('rw', newline='')
sys.stdout.write(f.readline())
f.write('SSH-2.0-client\r\n'); f.flush()
sys.stdout.write(f.readline())`, foreignAddr)
	if err != nil || out != banner+"SSH-2.0-client\r\n" || met() != 1 {
		t.Errorf("%v: %q", err, out)
	}
	line := l.process.WaitLog(harness.Match{"msg": "tunnel", "handling": "tunnelled", "ingress": "transparent", "decision": "relay"})
	if line.String("host") != foreignAddr || line.String("response_bytes") == "0" {
		t.Errorf("%v", line)
	}
}

// TestOtherProtocolsAreNotWaitedFor: a first line that is no HTTP is enough. OpenSSH
// says its own at once.
func TestOtherProtocolsAreNotWaitedFor(t *testing.T) {
	n := newNamespace(t)
	accepted(t, n.Listen(foreignAddr+":443"), greet)
	l := newLabWith(t, n, "limits: {header_timeout: 10m}\n")
	out, err := l.as(t, "", python, "-c", `
import socket, sys
f = socket.create_connection((sys.argv[1], 443), 20).makefile('rw', newline='')
f.write('SSH-2.0-client\r\n'); f.flush()
sys.stdout.write(f.readline() + f.readline())`, foreignAddr)
	if err != nil || out != banner+"SSH-2.0-client\r\n" {
		t.Errorf("%v: %q", err, out)
	}
}

// TestSilentCallersThatAreWaitedFor: nobody is relayed from port 80, or to one of
// our upstreams' addresses.
func TestSilentCallersThatAreWaitedFor(t *testing.T) {
	n := newNamespace(t)
	met := accepted(t, n.Listen(foreignAddr+":80"), greet)
	l := newLabWith(t, n, "limits: {header_timeout: 3s}\n")
	for _, address := range []string{foreignAddr + " 80", portalAddr + " 443"} {
		host, port, _ := strings.Cut(address, " ")
		start := time.Now()
		out, err := l.as(t, "", python, "-c", `
import socket, sys
sys.stdout.write(socket.create_connection((sys.argv[1], int(sys.argv[2])), 20).makefile().read())`, host, port)
		if err != nil || out != "" || time.Since(start) < 3*time.Second {
			t.Errorf("%s: %v: %q after %v", address, err, out, time.Since(start))
		}
	}
	// After that second it may still say what it wants.
	out, err := l.as(t, "", python, "-c", `
import socket, ssl, sys, time
s = socket.create_connection((sys.argv[1], 443), 20)
time.sleep(1.5)
s = ssl.create_default_context(cafile=sys.argv[2]).wrap_socket(s, server_hostname='api.smsportal.com')
s.sendall(b'GET `+path+` HTTP/1.0\r\nHost: api.smsportal.com\r\n\r\n')
sys.stdout.write(s.makefile().read())`, portalAddr, l.roots)
	if err != nil || !strings.Contains(out, "<credits>") {
		t.Errorf("%v: %s", err, out)
	}
	l.process.WaitLog(harness.Match{"msg": "tunnel", "handling": "spliced"})
	if relayed := l.process.Lines(0, harness.Match{"msg": "tunnel", "decision": "relay"}); met() != 0 || len(relayed) != 0 {
		t.Errorf("the foreign server met %d, relayed %v", met(), relayed)
	}
}
