package interop

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tlslift/test/harness"
)

// The exchange that every client makes; see tlsclients/README.md.
const (
	tlsHost      = "www.mymobileapi.com"
	exchangeBody = "message=hello"
	exchangeKept = 50
)

// exchanged is what a client prints when it got every answer whole.
func exchanged() string {
	var b strings.Builder
	b.WriteString(echo("GET", "/exchange/get", ""))
	b.WriteString(echo("POST", "/exchange/post", exchangeBody))
	for i := range exchangeKept {
		b.WriteString(echo("GET", fmt.Sprintf("/exchange/kept/%d", i), ""))
	}
	b.WriteString(bigAnswer)
	return b.String()
}

// echo is the upstream's answer.
func echo(method, target, body string) string {
	return fmt.Sprintf("[%s %s %s]", method, target, body)
}

// spelledOut is the exchange for clients without HTTP of their own, to be said
// at once; the last request ends the connection.
func spelledOut(authority string) string {
	var b strings.Builder
	head := func(method, target, more string) {
		fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, target, authority, more)
	}
	head("GET", "/exchange/get", "")
	head("POST", "/exchange/post", fmt.Sprintf("Content-Length: %d\r\n", len(exchangeBody)))
	b.WriteString(exchangeBody)
	for i := range exchangeKept {
		head("GET", fmt.Sprintf("/exchange/kept/%d", i), "")
	}
	head("GET", "/large", "Connection: close\r\n")
	return b.String()
}

// bodies takes apart what a client without HTTP has printed.
func bodies(output string) (string, error) {
	var all strings.Builder
	reader := bufio.NewReader(strings.NewReader(output))
	for {
		if _, err := reader.Peek(1); errors.Is(err, io.EOF) {
			return all.String(), nil
		}
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			return all.String(), err
		}
		if _, err := io.Copy(&all, answer.Body); err != nil {
			return all.String(), err
		}
	}
}

// hostPort takes an address apart that is known to be one.
func hostPort(address string) (host, port string) {
	host, port, _ = net.SplitHostPort(address)
	return host, port
}

// missing names what a client lacks; "" = nothing.
func (c tlsClient) missing() string {
	for _, tool := range c.tools {
		if _, err := findTool(tool); err != nil {
			return tool
		}
	}
	if c.check != "" && exec.Command("sh", "-c", c.check).Run() != nil {
		return c.name
	}
	return ""
}

// nodeTool is found below the directory that install.sh was given.
const (
	nodeTool        = "node-0.12.0"
	clientsVariable = "TLSLIFT_CLIENTS"
)

func findTool(tool string) (string, error) {
	if tool == nodeTool {
		dir := os.Getenv(clientsVariable)
		if dir == "" {
			return "", fmt.Errorf("%s is not set", clientsVariable)
		}
		tool = filepath.Join(dir, tool, "bin", "node")
	}
	return exec.LookPath(tool)
}

// asHostsFile runs a command in a mount namespace in which /etc/hosts leads
// the API's name to this machine: what an operator does to old applications.
func asHostsFile(dir string, command []string) []string {
	unshare := []string{"unshare", "-m"}
	if os.Geteuid() != 0 {
		unshare = []string{"unshare", "-rm"}
	}
	script := "mount --bind " + quote([]string{filepath.Join(dir, "hosts")}) + " /etc/hosts && exec " + quote(command)
	return append(unshare, "sh", "-c", script)
}

// talk runs a command. What it is told comes by its standard input, which
// stays open until it ends.
func talk(t testing.TB, command, env []string, input string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*harness.Patience)
	defer cancel()
	process := exec.CommandContext(ctx, command[0], command[1:]...)
	process.Env = env
	process.WaitDelay = time.Second
	var out, problems bytes.Buffer
	process.Stdout, process.Stderr = &out, &problems
	in, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(in, input)
	err = process.Wait()
	return out.String(), problems.String(), err
}

// tunneller CONNECTs for a client that cannot, as socat does: a port whose
// connections come out at the proxy's other end.
func tunneller(t testing.TB, proxy, host string) (port string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var carrying sync.WaitGroup
	carrying.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			carrying.Go(func() { carry(near, proxy, host) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		carrying.Wait()
	})
	_, port = hostPort(listener.Addr().String())
	return port
}

func carry(near net.Conn, proxy, host string) {
	defer near.Close()
	far, err := net.Dial("tcp", proxy)
	if err != nil {
		return
	}
	defer far.Close()
	fmt.Fprintf(far, "CONNECT %s:443 HTTP/1.0\r\n\r\n", host)
	answers := bufio.NewReader(far)
	answer, err := http.ReadResponse(answers, &http.Request{Method: http.MethodConnect})
	if err != nil || answer.StatusCode != http.StatusOK {
		return
	}
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(far, near)
		_ = far.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(near, answers)
	_ = near.Close()
	up.Wait()
}
