package endurance

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"tlslift/test/harness"
)

const host = "www.mymobileapi.com"

// planted is what must never be written down.
var planted = harness.Secrets{"planted-user-5150", "planted-pass-5151", "27825550199", "planted message 5152"}

// way is one way in.
type way struct {
	name    string
	weight  int
	prefix  string // of the target
	connect bool
	version uint16 // of TLS; 0 = plaintext
	old     bool   // HTTP/1.0, a connection for each request
}

// spliced tells the ways on which tlslift sees no request.
func (w *way) spliced() bool { return w.version >= tls.VersionTLS12 }

var ways = []way{
	{name: "forward http", weight: 6, prefix: "http://" + host},
	{name: "forward https", weight: 2, prefix: "https://" + host},
	{name: "gateway", weight: 6},
	{name: "gateway HTTP/1.0", weight: 3, old: true},
	{name: "connect plain", weight: 3, connect: true},
	{name: "connect TLS 1.0", weight: 4, connect: true, version: tls.VersionTLS10},
	{name: "connect TLS 1.1", weight: 2, connect: true, version: tls.VersionTLS11},
	{name: "direct TLS 1.0", weight: 4, version: tls.VersionTLS10},
	{name: "direct TLS 1.0, HTTP/1.0", weight: 3, version: tls.VersionTLS10, old: true},
	{name: "connect TLS 1.3", weight: 2, connect: true, version: tls.VersionTLS13},
	{name: "direct TLS 1.2", weight: 2, version: tls.VersionTLS12},
}

// manner is how a caller behaves.
type manner uint8

const (
	polite     manner = iota
	halfClose         // says no more after the request, and listens
	hangUp            // closes once the request is written
	resetting         // resets once the request is written
	unfinished        // closes within the body
	manners
)

// call is one request and all that came of it.
type call struct {
	id     string
	fate   *fate
	way    *way
	manner manner
	post   bool

	// What the caller saw.
	written  bool // the whole request
	refused  bool // not even a connection for it
	err      error
	status   int
	problem  string
	delivery string
	body     string

	// What others saw.
	heard int // by the upstream
	lines []logged
}

// logged is what is looked at of a log line.
type logged struct {
	status, problem, delivery string
}

// caller is one client program, which keeps its connection where it can.
type caller struct {
	address string
	ours    *x509.CertPool // tlslift's CA
	theirs  *x509.CertPool // the upstream's
	random  *rand.Rand

	conn   net.Conn
	tcp    *net.TCPConn
	reader *bufio.Reader
	way    *way
}

// run makes one call.
func (c *caller) run(k *call) {
	if c.conn != nil && (c.way != k.way || k.way.old || c.random.IntN(8) == 0) {
		c.leave()
	}
	if c.conn == nil {
		if err := c.arrive(k.way); err != nil {
			k.refused, k.err = true, err
			c.leave()
			return
		}
	}
	head, body := c.spell(k)
	_ = c.conn.SetDeadline(time.Now().Add(harness.Patience))
	if k.manner == unfinished {
		_, k.err = io.WriteString(c.conn, head+body[:len(body)/2])
		c.leave()
		return
	}
	writing := make(chan error, 1)
	go func() { // an early answer must not deadlock
		_, err := io.WriteString(c.conn, head+body)
		writing <- err
	}()
	switch k.manner {
	case hangUp, resetting:
		k.err = <-writing
		k.written = k.err == nil
		if k.manner == resetting {
			_ = c.tcp.SetLinger(0)
		}
		_ = c.tcp.Close()
		c.leave()
		return
	case halfClose:
		if err := <-writing; err == nil {
			k.written = true
			c.half()
		}
		writing <- nil
	default:
	}
	keep := c.read(k)
	if !keep {
		_ = c.tcp.Close() // ends a write that nobody reads any more
	}
	k.written = <-writing == nil
	if !keep || k.manner == halfClose {
		c.leave()
	}
}

func (c *caller) half() {
	type halfCloser interface{ CloseWrite() error }
	if half, ok := c.conn.(halfCloser); ok {
		_ = half.CloseWrite()
	}
}

// read reads the answer and reports whether the connection can go on.
func (c *caller) read(k *call) bool {
	for {
		response, err := http.ReadResponse(c.reader, nil)
		if err != nil {
			k.err = fmt.Errorf("reading the head: %w", err)
			return false
		}
		if response.StatusCode < 200 {
			continue
		}
		body, err := io.ReadAll(response.Body)
		k.status, k.body = response.StatusCode, string(body)
		k.problem, k.delivery = response.Header.Get("Tlslift-Error"), response.Header.Get("Tlslift-Delivery")
		if err != nil {
			k.err = fmt.Errorf("reading the body: %w", err)
			return false
		}
		return !response.Close && !k.way.old
	}
}

func (c *caller) leave() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
	c.conn, c.tcp, c.reader, c.way = nil, nil, nil, nil
}

// arrive connects by a way in.
func (c *caller) arrive(w *way) error {
	conn, err := net.DialTimeout("tcp", c.address, harness.Patience)
	if err != nil {
		return err
	}
	c.way, c.conn, c.tcp = w, conn, conn.(*net.TCPConn)
	_ = conn.SetDeadline(time.Now().Add(harness.Patience))
	if w.connect {
		if _, err := io.WriteString(conn, "CONNECT "+host+":443 HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); err != nil {
			return err
		}
		reader := bufio.NewReaderSize(oneByte{conn}, 16) // takes nothing that belongs to the tunnel
		response, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
		if err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
	}
	if w.version != 0 {
		config := &tls.Config{MinVersion: w.version, MaxVersion: w.version, ServerName: host, RootCAs: c.ours}
		if w.spliced() {
			config.RootCAs = c.theirs
		}
		secured := tls.Client(conn, config)
		if err := secured.Handshake(); err != nil {
			return err
		}
		c.conn = secured
	}
	c.reader = bufio.NewReader(c.conn)
	return nil
}

// oneByte reads one byte at a time.
type oneByte struct{ io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.Reader.Read(p[:min(len(p), 1)]) }

// spell writes a call as its caller would.
func (c *caller) spell(k *call) (head, body string) {
	target := k.way.prefix + k.fate.target(k.id) + "?Type=sendparam&Username=" + planted[0] + "&password=" + planted[1] + "&numto=" + planted[2] +
		"&data1=" + strings.ReplaceAll(planted[3], " ", "%20")
	method, version := "GET", "HTTP/1.1"
	if k.way.old {
		version = "HTTP/1.0"
	}
	var fields strings.Builder
	if k.post {
		method = "POST"
		size := 40 + c.random.IntN(2000)
		if k.fate.upload {
			size = upload
		}
		body = strings.Repeat("b", size)
		fmt.Fprintf(&fields, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", size)
	}
	return method + " " + target + " " + version + "\r\nHost: " + host + "\r\n" + fields.String() + "\r\n", body
}
