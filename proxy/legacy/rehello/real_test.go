package rehello

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"tlslift/proxy/hello"
)

// listen serves clients with SSL 2.0 framed hellos until the test ends, and
// gives the port.
func listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			framed := func(h *hello.ClientHello) {
				if h.Framing != hello.SSLv2 {
					t.Errorf("a hello in framing %s", h.Framing)
				}
			}
			if err := echo(conn, framed); err != nil {
				t.Log(err)
			}
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// TestJava is Java's own SSL 2.0 framing, what Java 5 and 6 do by default.
func TestJava(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"java", "javac"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	dir := t.TempDir()
	if out, err := exec.Command("javac", "-d", dir, "testdata/Client.java").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	security := filepath.Join(dir, "security")
	if err := os.WriteFile(security, []byte("jdk.tls.disabledAlgorithms=\njdk.tls.legacyAlgorithms=\njdk.certpath.disabledAlgorithms=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, suite := range []string{
		"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA",
		"SSL_RSA_WITH_3DES_EDE_CBC_SHA", "SSL_RSA_WITH_RC4_128_SHA",
	} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			out, err := exec.Command("java", "-Djava.security.properties="+security, "-cp", dir, "Client",
				listen(t), "SSLv2Hello,TLSv1", suite).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "ok TLSv1 ") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// TestOpenSSL101 is a genuine OpenSSL SSL 2.0 framed hello, of node 0.12.
func TestOpenSSL101(t *testing.T) {
	t.Parallel()
	node := os.Getenv("TLSLIFT_TEST_NODE012")
	if node == "" {
		t.Skip("TLSLIFT_TEST_NODE012 names no node 0.12")
	}
	for _, suite := range []string{"AES128-SHA:SSLv2", "AES256-SHA:SSLv2", "DES-CBC3-SHA:SSLv2", "RC4-SHA:SSLv2", "ALL:SSLv2"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			out, err := exec.Command(node, "--enable-ssl2", "--enable-ssl3", "testdata/client.js", listen(t), suite).CombinedOutput()
			if err != nil || !strings.HasPrefix(string(out), "ok ") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
