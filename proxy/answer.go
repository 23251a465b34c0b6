package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"tlslift/proxy/host"
	"tlslift/proxy/http1"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream"
)

// watchedBody detects an answer that breaks off while it is streamed. If the caller
// has received none of it, it gets a complete answer of our own: some clients resend
// a request when the connection ends without an answer. Otherwise the caller must see
// the connection break too, never a clean end.
type watchedBody struct {
	io.ReadCloser
	q *request
}

// Read implements io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.broke(err)
	return n, err
}

// WriteTo implements io.WriterTo. A buffered body is written in one write for each
// piece that it is stored in.
func (b *watchedBody) WriteTo(w io.Writer) (int64, error) {
	if wt, ok := b.ReadCloser.(io.WriterTo); ok {
		n, err := wt.WriteTo(w)
		b.broke(err)
		return n, err
	}
	if b.q.events { // the first event may take a long time
		_ = b.q.w.FlushError()
	}
	buf := make([]byte, streamBuffer)
	var total int64
	for {
		n, err := b.Read(buf)
		if n > 0 {
			m, werr := w.Write(buf[:n])
			if total += int64(m); werr == nil && b.q.streaming {
				werr = b.q.w.FlushError()
			}
			if werr != nil {
				b.await(buf)
				return total, werr
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return total, err
		}
	}
}

// await reads the rest of an answer after its caller has left, because the end shows
// what became of the message. It skips event streams, which never end, and answers
// from other hosts, which are not about a message.
func (b *watchedBody) await(buf []byte) {
	if !b.q.out.Ours || b.q.events {
		return
	}
	now := b.q.c.s.now
	until := now().Add(b.q.st.Upstream.ResponseTimeout)
	for read := 0; read < maxAwaited && now().Before(until); {
		n, err := b.Read(buf)
		if read += n; err != nil {
			return
		}
	}
}

// maxAwaited is how much of an answer await reads, in bytes.
const maxAwaited = 64 << 20

// streamBuffer is the size of the buffer for streamed answers, in bytes: one TLS
// record.
const streamBuffer = 16 << 10

// broke aborts the answer, or replaces it, if err is the upstream's. Other errors
// come from writing to the caller.
func (b *watchedBody) broke(err error) {
	up, ok := errors.AsType[*upstream.Error](err)
	if !ok {
		return
	}
	q := b.q
	if q.w.Restart() {
		reason, detail := q.explain(err)
		q.out.FromUpstream = false
		q.refuse(reason, 0, detail)
		return
	}
	q.w.Abort()
	q.out.Reason, q.out.Delivery = up.Reason, problem.Unknown
	q.out.Detail = "the answer broke off while it was passed on"
}

// refuse writes an error answer of our own. Status 0 selects the reason's usual
// status.
func (q *request) refuse(reason problem.Reason, status int, detail string) {
	q.out.Reason, q.out.Detail = reason, detail
	resp := q.problem(status)
	q.w.SetHeader(resp.Header)
	q.w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(q.w, resp.Body)
}

// problem builds an error answer in the format that the caller expects. Status 0
// selects the reason's usual status.
func (q *request) problem(status int) *http.Response {
	o := &q.out
	h := q.r.Header
	p := problem.Problem{
		Reason: o.Reason, Status: status, Delivery: o.Delivery, Closes: q.decision.Closes, Host: q.place.Host, RequestID: o.ID,
		Cause: q.behind,
	}
	q.w.SetReason(p.Phrase())
	hints := problem.Hints{
		Method: o.Method, Path: o.Path, Host: q.place.Host,
		ContentType: first(h, "Content-Type"), Accept: first(h, "Accept"), SOAPAction: first(h, "Soapaction"),
	}
	dialect := problem.DialectOf(hints)
	if p.Cause == problem.Hostless || p.Cause == problem.UnknownHost {
		dialect = problem.DialectBelowHost(hints)
	}
	if p.Cause == problem.Hostless {
		// o.Path is redacted already.
		if n := q.st.decide.Misnamed(o.Path); !n.IsZero() {
			p.Cause, p.Host = problem.Misnamed, n
		}
	}
	answer, header, body := p.Render(dialect)
	if answer.Closes {
		q.closes = true
		q.w.CloseAfter()
	}
	if o.Method == http.MethodHead {
		body = nil
	}
	return &http.Response{StatusCode: answer.Status, Header: header, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body))}
}

// explain is the one place that maps an error from the upstream side, or from the
// caller's body, to a reason and a delivery.
func (q *request) explain(err error) (problem.Reason, string) {
	o := &q.out
	o.Delivery = q.ex.Delivery
	if o.Delivery == problem.Answered {
		o.Delivery = problem.Unknown // the head arrived, the rest did not
	}
	if errors.Is(err, errNoMemory) {
		return problem.Limit, err.Error()
	}
	if body, ok := errors.AsType[*http1.BodyError](err); ok {
		o.ClientGone = body.Gone()
		return q.explainBody(body.Reason)
	}
	if _, ok := errors.AsType[*upstream.BodyError](err); ok {
		return problem.ClientTimeout, "the caller's body ended before its announced length"
	}
	if up, ok := errors.AsType[*upstream.Error](err); ok {
		q.behind = causeOf(up, q.place.Host, o.Ours)
		return up.Reason, up.Error()
	}
	return problem.Protocol, "the round trip failed"
}

// causeOf returns the cause of an upstream failure where the usual text for its
// reason would mislead. asked is the host that the caller named, and ours reports
// whether it is one of our upstreams.
func causeOf(err *upstream.Error, asked host.Name, ours bool) problem.Cause {
	var lookup *upstream.LookupError
	switch {
	case err.Reason == problem.DNS && !ours:
		return problem.ForeignName
	case err.Reason == problem.InternalAddress && !ours:
		return problem.ForeignAddress
	case err.Reason == problem.DNS && errors.As(err, &lookup) && lookup.Name != asked:
		return problem.OtherName
	case err.Reason == problem.TLS && errors.Is(err, upstream.ErrPlainHTTP):
		return problem.PlainServer
	case err.Reason == problem.ParentProxy && errors.As(err, &lookup):
		return problem.ParentName
	case err.Reason == problem.ParentProxy && errors.Is(err, upstream.ErrPlainHTTP):
		return problem.PlainParent
	default:
		return problem.Usual
	}
}

// explainBody is explain for a request body that did not arrive as announced.
func (q *request) explainBody(reason problem.Reason) (problem.Reason, string) {
	o := &q.out
	switch {
	case q.c.s.baseCtx.Err() != nil: // cut at the shutdown deadline
		o.ClientGone = false
		const detail = "shutting down while the caller's body was on its way"
		if o.Delivery == problem.NotSent {
			return problem.Draining, detail
		}
		return problem.Timeout, detail
	case reason == problem.TooLarge:
		return reason, "the chunked body is over its limit"
	case reason == problem.Malformed:
		q.behind = problem.BrokenChunks
		return reason, "the body's chunk framing is malformed"
	default:
		return reason, "the caller's body did not arrive"
	}
}
