package hello

import "encoding/binary"

// Turns shows whether the client of a TLS connection that is relayed untouched
// may be waiting for an answer: it has said something, and what the server said
// since was not, or may not have been, an answer. Looking only at which side
// spoke last misleads, because of what a server says on its own: in TLS 1.3 the session
// tickets that follow the client's Finished, and often its first request too
// (RFC 8446 4.6.1); in TLS 1.2 its Finished, when the client did not wait for
// that (False Start, RFC 7918).
//
// It watches until the handshake is certain to be over: from then on, the side
// that spoke last is all there is to know. It holds no bytes but the beginning
// of the server's first message. The zero value is ready; it is not for
// concurrent use.
type Turns struct {
	up, down recordReader
	answer   AnswerObserver // of the server's first message
	version  uint16         // negotiated; 0 = not known yet
	settled  bool
	talk     conversation

	early    bool // the client sent data before the server's first message
	sent     int  // records of application data, as their type has it, from the client
	turns    int  // how often the client began to send such, at first or after the server
	received int  // from the server, since the client's first
	last     bool // the latest was the server's
}

// tickets is how many records of session tickets a server may send after a
// handshake: two is what all but a few of them send at most.
const tickets = 2

// Up takes the next bytes from the client, its hello included.
func (t *Turns) Up(p []byte) {
	if t.Over() {
		return
	}
	if !t.up.each(p, t.fromClient) {
		t.broke()
	}
}

// Down takes the next bytes from the server.
func (t *Turns) Down(p []byte) {
	if t.Over() {
		return
	}
	if t.version == 0 {
		_, _ = t.answer.Write(p)
		if t.answer.Done() {
			a, err := t.answer.Answer()
			if err != nil || a.Refused {
				t.settled = true
				return
			}
			t.version = a.Version
		}
	}
	if !t.down.each(p, t.fromServer) {
		t.broke()
	}
}

// broke ends the observation: the bytes are not TLS.
func (t *Turns) broke() { t.settled, t.version = true, 0 }

// Answer is the server's first message; ErrIncomplete while that has not come.
func (t *Turns) Answer() (Answer, error) { return t.answer.Answer() }

// Answered reports whether the server's first message has come, or can no longer
// come.
func (t *Turns) Answered() bool { return t.answer.Done() }

// Settled reports whether nothing more can be learned: the client waits exactly
// when it spoke last. It is so from the beginning where no TLS is spoken.
func (t *Turns) Settled() bool { return t.settled }

// Waiting reports whether the client may be waiting for an answer. It is for
// connections that are not settled.
func (t *Turns) Waiting() bool {
	switch {
	case t.early:
		return true
	case t.sent == 0:
		return false
	case t.version < VersionTLS13:
		return !t.last
	case t.sent == 1: // the Finished
		return false
	default:
		return !t.last || t.received <= tickets
	}
}

// Called reports whether the client has made a call.
func (t *Turns) Called() bool { return t.talk.called }

// Failed reports whether the handshake has failed: by the server's alert, or by
// the client's. Its Ending is known then.
func (t *Turns) Failed() bool {
	a, err := t.answer.Answer()
	return err == nil && a.Refused || t.talk.alert == Rejected || t.talk.alert == GaveUp
}

// Accepted reports whether the client went on after it had seen the server's
// certificate.
func (t *Turns) Accepted() bool { return t.talk.accepted }

// Over reports whether nothing more is to be learned: neither of the turns nor
// of the connection's Ending.
func (t *Turns) Over() bool { return t.settled && (t.talk.called || t.version == 0) }

// Ending is what the connection has come to. byClient says that the client was
// the first to end its side.
func (t *Turns) Ending(byClient bool) Ending {
	a, err := t.answer.Answer()
	return t.talk.ending(err == nil && a.Refused, byClient)
}

func (t *Turns) fromClient(kind byte, length int, alert *[2]byte) {
	t.talk.client(t.version, kind, length, alert)
	if kind != recordData {
		return
	}
	t.sent++
	if t.last || t.turns == 0 {
		t.turns++
	}
	t.early = t.early || t.version == 0
	t.last = false
	t.judge()
}

func (t *Turns) fromServer(kind byte, _ int, _ *[2]byte) {
	if t.version != 0 {
		t.talk.server(t.version, kind)
	}
	if kind != recordData || t.sent == 0 {
		return // in TLS 1.3 the server's part of the handshake
	}
	t.received++
	t.last = true
	t.judge()
}

// judge finds out whether everything that the server says on its own is out of
// the way.
func (t *Turns) judge() {
	switch {
	case t.early: // its data, its Finished, and something after the server's
		t.settled = t.turns > 2
	case t.version < VersionTLS13:
		t.settled = t.received > 0
	default: // more than the Finished, and then or before that more than tickets
		t.settled = t.sent > 1 && (t.turns > 1 || t.received > tickets)
	}
}

// Types of records (RFC 8446 5.1) that nothing else here needs.
const (
	recordCCS  = 20
	recordData = 23
)

// recordReader finds the records in one direction of a connection.
type recordReader struct {
	header [recordHeader]byte
	have   int // bytes of the header
	left   int // bytes of the record that are still to come
	begun  bool
	short  bool    // the record is an alert in clear, by its length
	alert  [2]byte // that alert
}

// each calls f with the type and length of each record that begins in p; with
// an alert in clear, once it is whole. It reports false when these are no records.
func (r *recordReader) each(p []byte, f func(kind byte, length int, alert *[2]byte)) bool {
	if !r.begun && len(p) > 0 {
		r.begun = true
		if p[0]&0x80 != 0 { // a hello in SSL 2.0 framing (RFC 5246 E.2)
			if len(p) < 2 {
				return false
			}
			r.left = 2 + (int(p[0]&0x7f)<<8 | int(p[1]))
		}
	}
	for len(p) > 0 {
		if r.left > 0 {
			n := min(r.left, len(p))
			if r.short {
				copy(r.alert[len(r.alert)-r.left:], p[:n])
			}
			r.left -= n
			p = p[n:]
			if r.short && r.left == 0 {
				r.short = false
				f(recordAlert, len(r.alert), &r.alert)
			}
			continue
		}
		n := copy(r.header[r.have:], p)
		r.have += n
		p = p[n:]
		if r.have < recordHeader {
			break
		}
		r.have = 0
		if r.header[0] < 20 || r.header[0] > 24 || r.header[1] != 3 {
			return false
		}
		r.left = int(binary.BigEndian.Uint16(r.header[3:]))
		if r.short = r.header[0] == recordAlert && r.left == len(r.alert); !r.short {
			f(r.header[0], r.left, nil)
		}
	}
	return true
}

// FatalAlert finds a fatal alert in clear in one direction of a connection. The
// zero value is ready.
type FatalAlert struct {
	records recordReader
	number  uint8
	found   bool
}

// Add takes the next bytes.
func (a *FatalAlert) Add(p []byte) {
	if a.found {
		return
	}
	a.records.each(p, func(_ byte, _ int, alert *[2]byte) {
		const fatal = 2
		if alert != nil && alert[0] == fatal && !a.found {
			a.number, a.found = alert[1], true
		}
	})
}

// Number is what the first one says (RFC 8446 section 6).
func (a *FatalAlert) Number() (number uint8, found bool) { return a.number, a.found }
