package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"tlslift/proxy/host"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream"
)

// responseWriter stands between goproxy and net/http: it counts, notices
// failures, and flushes where the caller cannot know the length.
type responseWriter struct {
	inner    http.ResponseWriter
	rec      *record
	moved    http.Header  // of the upstream's answer
	draining *atomic.Bool // set: tell the caller that the connection ends
	hijacked bool
	wrote    bool
	writeErr error
}

func (w *responseWriter) Header() http.Header { return w.inner.Header() }

func (w *responseWriter) WriteHeader(status int) {
	w.rec.status = status
	w.wrote = true
	if w.moved != nil {
		h := w.inner.Header()
		for k, v := range w.moved {
			h[k] = v
		}
	}
	if w.draining.Load() {
		w.inner.Header()["Connection"] = []string{"close"}
	}
	w.inner.WriteHeader(status)
}

func (w *responseWriter) Write(p []byte) (int, error) {
	n, err := w.inner.Write(p)
	w.rec.responseBytes += int64(n)
	if err != nil {
		w.writeErr = err
	} else if w.rec.streaming {
		w.flush()
	}
	return n, err
}

// noHeader is shown to goproxy in the place of the answer's header; nobody
// writes to it.
var noHeader = http.Header{}

// flush hands the answer to the socket now, so that what comes after it (the
// log line) is not waited for, and so that a failure is known.
func (w *responseWriter) flush() {
	f, ok := w.inner.(interface{ FlushError() error })
	if !ok || !w.wrote {
		return
	}
	if err := f.FlushError(); err != nil && w.writeErr == nil {
		w.writeErr = err
	}
}

// Hijack implements http.Hijacker for goproxy's CONNECT. The front hands
// net/http nothing beyond the head of a CONNECT, so no early bytes can be
// stranded in the reader that is returned.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h, ok := w.inner.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("the connection cannot be taken over")
	}
	conn, rw, err := h.Hijack()
	w.hijacked = err == nil
	return conn, rw, err
}

// watchedBody notices an answer that breaks off while it is streamed: the
// caller must then see the connection break too, never a clean end.
type watchedBody struct {
	io.ReadCloser
	rec *record
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.note(err)
	return n, err
}

var copyBuffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// WriteTo implements io.WriterTo: a held body goes out in one write, a
// streamed one through a pooled buffer.
func (b *watchedBody) WriteTo(w io.Writer) (int64, error) {
	if wt, ok := b.ReadCloser.(io.WriterTo); ok {
		n, err := wt.WriteTo(w)
		b.note(err)
		return n, err
	}
	buf := copyBuffers.Get().(*[16 << 10]byte)
	defer copyBuffers.Put(buf)
	var total int64
	for {
		n, err := b.Read(buf[:])
		if n > 0 {
			m, werr := w.Write(buf[:n])
			total += int64(m)
			if werr != nil {
				return total, werr
			}
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

func (b *watchedBody) note(err error) {
	if err == nil || errors.Is(err, io.EOF) || b.rec.abort {
		return
	}
	b.rec.abort = true
	b.rec.reason, b.rec.delivery = problem.Reset, problem.Unknown
	var up *upstream.Error
	if errors.As(err, &up) {
		b.rec.reason = up.Reason
	}
	b.rec.detail = "the answer broke off while it was passed on"
}

// completeHeader makes net/http pass the answer on as it is: no guessed
// Content-Type, and the length that is known once an answer is held.
func completeHeader(resp *http.Response) {
	h := resp.Header
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil
	}
	if resp.ContentLength < 0 || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified {
		return
	}
	if _, ok := h["Content-Length"]; !ok && resp.Request != nil && resp.Request.Method != http.MethodHead {
		h["Content-Length"] = []string{strconv.FormatInt(resp.ContentLength, 10)}
	}
}

// refuse answers a request that is not sent.
func (s *Server) refuse(out *responseWriter, r *http.Request, rec *record, ref *refusal) {
	rec.reason, rec.detail, rec.delivery = ref.reason, ref.detail, problem.NotSent
	resp := s.problemResponse(rec, r, ref)
	h := out.Header()
	for k, v := range resp.Header {
		h[k] = v
	}
	out.WriteHeader(resp.StatusCode)
	if resp.Body != nil {
		_, _ = io.Copy(out, resp.Body)
	}
}

// problemResponse renders a refusal or a failure in the caller's language.
func (s *Server) problemResponse(rec *record, r *http.Request, ref *refusal) *http.Response {
	name, _ := host.Parse(rec.host) // "" is none
	p := problem.Problem{
		Reason:    ref.reason,
		Status:    ref.status,
		Delivery:  rec.delivery,
		Host:      name,
		RequestID: rec.id,
	}
	if p.Status == 0 {
		p.Status = ref.reason.Status()
	}
	dialect := problem.DialectOf(problem.Hints{
		Method:      rec.method,
		Path:        rec.path,
		Host:        name,
		ContentType: r.Header.Get("Content-Type"),
		Accept:      r.Header.Get("Accept"),
		SOAPAction:  r.Header.Get("Soapaction"),
	})
	header, body := p.Render(dialect)
	if ref.reason.Closes() {
		header.Set("Connection", "close")
	}
	resp := &http.Response{
		StatusCode:    p.Status,
		Header:        header,
		ContentLength: int64(len(body)),
		Request:       r,
	}
	if r.Method == http.MethodHead {
		body = nil
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp
}
