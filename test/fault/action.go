package fault

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"tlslift/test/wire"
)

// Exchange is one request in a script's hands. Only its head was read.
type Exchange struct {
	Conn    int // as in Seen
	Request int
	Seen    *Seen // not to be changed

	server *Server
	raw    *net.TCPConn
	peeker *peekConn
	tls    *tls.Conn
	reader *bufio.Reader
}

// Action is what a script does with one request. Its name serves as a test's.
type Action struct {
	Name string
	run  func(*Exchange) bool // whether the connection goes on
}

// End is how a connection ends.
type End uint8

// The ends.
const (
	Close End = iota // close_notify, then FIN
	Cut              // FIN without close_notify: a TLS truncation
	Reset            // RST
)

func (e End) String() string { return [...]string{"close", "cut", "reset"}[e] }

// read reads a head and counts it, whole or not.
func (x *Exchange) read() bool {
	raw, err := wire.ReadHead(x.reader)
	if len(raw) == 0 {
		return false
	}
	seen := &Seen{Conn: x.Conn, Request: x.Request, Raw: raw}
	if err == nil {
		seen.Head, err = wire.ParseHead(raw)
		seen.HeadDone = err == nil
	}
	x.Seen = seen
	if x.server.options.Heard != nil {
		x.server.options.Heard(raw)
		return err == nil
	}
	x.server.mu.Lock()
	x.server.seen = append(x.server.seen, seen)
	x.server.changed.Broadcast()
	x.server.mu.Unlock()
	return err == nil
}

// readBody reads the body and notes it; false when the connection ended.
func (x *Exchange) readBody() bool {
	body, _, err := x.Seen.ReadBody(x.reader)
	x.server.mu.Lock()
	defer x.server.mu.Unlock()
	x.Seen.Body, x.Seen.BodyDone = body, err == nil
	return err == nil
}

// write returns false when the peer is gone, which ends the connection.
func (x *Exchange) write(text string) bool {
	_, err := io.WriteString(x.tls, text)
	return err == nil
}

func (x *Exchange) end(how End) bool {
	switch how {
	case Close:
		_ = x.tls.CloseWrite()
	case Reset:
		_ = x.raw.SetLinger(0)
	case Cut:
	}
	_ = x.raw.Close()
	return false
}

// wait returns after d, or false when the server was closed before.
func (x *Exchange) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.server.ctx.Done():
		return false
	}
}

// after makes an action that first reads the whole request.
func after(name string, run func(*Exchange) bool) Action {
	return Action{name, func(x *Exchange) bool { return x.readBody() && run(x) }}
}

func response(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// Answer is what a healthy server does.
func Answer(body string) Action {
	return after("answer", func(x *Exchange) bool { return x.write(response(body)) })
}

// Raw writes the bytes as they are and ends the connection.
func Raw(name, text string, how End) Action {
	return after(name, func(x *Exchange) bool { x.write(text); return x.end(how) })
}

// AfterRead ends the connection once the whole request was read.
func AfterRead(how End) Action {
	return after("after_read_"+how.String(), func(x *Exchange) bool { return x.end(how) })
}

// AfterHead ends the connection once the head was read; a body is left unread.
func AfterHead(how End) Action {
	return Action{"after_head_" + how.String(), func(x *Exchange) bool { return x.end(how) }}
}

// HalfHead ends the connection within the answer's head.
func HalfHead(how End) Action {
	return Raw("half_head_"+how.String(), "HTTP/1.1 200 OK\r\nContent-Ty", how)
}

// HalfBody announces size bytes, sends half of them, and ends.
func HalfBody(size int, how End) Action {
	return Raw(fmt.Sprintf("half_body_%dk_%s", size>>10, how),
		fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size/2)), how)
}

// HalfChunked sends size bytes in chunks and ends before the last chunk.
func HalfChunked(size int, how End) Action {
	return Raw(fmt.Sprintf("half_chunked_%dk_%s", size>>10, how),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+chunks(strings.Repeat("x", size)), how)
}

func chunks(body string) string {
	var b strings.Builder
	for len(body) > 0 {
		n := min(len(body), 16<<10)
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return b.String()
}

// UntilClose answers without a length; only Close makes the answer whole.
func UntilClose(body string, how End) Action {
	return Raw("until_close_"+how.String(), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"+body, how)
}

// Garbage answers with something that is not HTTP.
func Garbage() Action {
	return Raw("garbage", "\x00\x01\x02 this is not HTTP\r\n\r\n", Close)
}

// HugeHead answers with a head of about n bytes.
func HugeHead(n int) Action {
	line := "X-Filler: " + strings.Repeat("a", 1000) + "\r\n"
	return Raw("huge_head", "HTTP/1.1 200 OK\r\n"+strings.Repeat(line, n/len(line)+1)+"Content-Length: 2\r\n\r\nok", Close)
}

// Informational sends n 1xx answers before the real one.
func Informational(n int) Action {
	return after("informational", func(x *Exchange) bool {
		for range n {
			if !x.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n") {
				return false
			}
		}
		return x.write(response("ok"))
	})
}

// Stall reads the request and never answers; it ends when the peer does.
func Stall() Action {
	return after("stall", func(x *Exchange) bool {
		_, _ = io.Copy(io.Discard, x.reader)
		return false
	})
}

// StallAfter writes the bytes as they are and no more; it ends when the peer
// does.
func StallAfter(text string) Action {
	return after("stall_after", func(x *Exchange) bool {
		x.write(text)
		_, _ = io.Copy(io.Discard, x.reader)
		return false
	})
}

// StallInBody answers with the head and half of size bytes, then nothing more.
func StallInBody(size int) Action {
	return after("stall_in_body", func(x *Exchange) bool {
		if x.write(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size/2))) {
			_, _ = io.Copy(io.Discard, x.reader)
		}
		return false
	})
}

// Delay answers properly, after d.
func Delay(d time.Duration) Action {
	return after("delay", func(x *Exchange) bool { return x.wait(d) && x.write(response("ok")) })
}

// Hold answers properly when the channel is closed.
func Hold(release <-chan struct{}) Action {
	return after("hold", func(x *Exchange) bool {
		select {
		case <-release:
			return x.write(response("ok"))
		case <-x.server.ctx.Done():
			return false
		}
	})
}

// Early answers before the body was read and never reads it: who writes the
// whole body before reading is stuck, once the socket's buffers are full.
func Early(status int) Action {
	return Action{"early", func(x *Exchange) bool {
		if x.write(fmt.Sprintf("HTTP/1.1 %d Early\r\nContent-Length: 5\r\nConnection: close\r\n\r\nearly", status)) {
			_ = x.tls.CloseWrite()
			<-x.server.ctx.Done()
		}
		return false
	}}
}

// EarlyReset answers before the body was read, then resets.
func EarlyReset(status int) Action {
	return Action{"early_reset", func(x *Exchange) bool {
		x.write(fmt.Sprintf("HTTP/1.1 %d Early\r\nContent-Length: 5\r\n\r\nearly", status))
		return x.end(Reset)
	}}
}

// AnswerThenCloseOnNext answers, then closes the idle connection at the very
// moment that the next request's first bytes arrive, without reading them.
func AnswerThenCloseOnNext(how End) Action {
	return after("close_as_we_write_"+how.String(), func(x *Exchange) bool {
		if !x.write(response("ok")) {
			return false
		}
		if x.reader.Buffered() == 0 {
			_, _ = x.peeker.reader.Peek(1)
		}
		return x.end(how)
	})
}

// AnswerThenEnd answers and closes without having announced it.
func AnswerThenEnd(how End) Action {
	return Raw("answer_then_"+how.String(), response("ok"), how)
}

// Drip answers with one byte of the body per interval.
func Drip(body string, interval time.Duration) Action {
	return after("drip", func(x *Exchange) bool {
		if !x.write(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body))) {
			return false
		}
		for i := range body {
			if !x.wait(interval) || !x.write(body[i:i+1]) {
				return false
			}
		}
		return true
	})
}

// Always does the same with each request.
func Always(a Action) Script { return func(*Exchange) Action { return a } }

// OnReuse answers each connection's first request and does a with the others.
func OnReuse(a Action) Script {
	return func(x *Exchange) Action {
		if x.Request == 1 {
			return Answer("first")
		}
		return a
	}
}

// Marked does a with requests whose target holds the marker and answers all
// others.
func Marked(marker string, a Action) Script {
	return func(x *Exchange) Action {
		if strings.Contains(x.Seen.Target, marker) {
			return a
		}
		return Answer("ok")
	}
}

// ChunksAround sends one part in chunks, waits for release, and sends the
// other.
func ChunksAround(first string, release <-chan struct{}, second string) Action {
	return after("chunks_around", func(x *Exchange) bool {
		return x.writeAround("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+chunks(first), release, chunks(second)+"0\r\n\r\n")
	})
}

// Events sends one event of a stream, waits for release, and sends another. Their
// length is declared, or they come in chunks.
func Events(first string, release <-chan struct{}, second string, declared bool) Action {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n"
	return after("events", func(x *Exchange) bool {
		if declared {
			return x.writeAround(fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(first+second), first), release, second)
		}
		return x.writeAround(head+"Transfer-Encoding: chunked\r\n\r\n"+chunks(first), release, chunks(second)+"0\r\n\r\n")
	})
}

// writeAround writes one part, waits for release, and writes the other.
func (x *Exchange) writeAround(first string, release <-chan struct{}, second string) bool {
	if !x.write(first) {
		return false
	}
	select {
	case <-release:
		return x.write(second)
	case <-x.server.ctx.Done():
		return false
	}
}

// Late answers with size bytes. The last tail of them come after d.
func Late(size, tail int, d time.Duration) Action {
	text := response(strings.Repeat("x", size))
	at := len(text) - tail
	return after("late", func(x *Exchange) bool { return x.write(text[:at]) && x.wait(d) && x.write(text[at:]) })
}
