package hello

import "encoding/binary"

// Turns reports whether the client of a spliced TLS connection may be waiting for
// an answer: it has sent something, and the server has not, or may not have,
// answered it. Which side sent last is not enough, because a server also sends
// records unasked. In TLS 1.3 these are session tickets, which often arrive after
// the client's first request (RFC 8446 4.6.1). In TLS 1.2 it is the Finished, if
// the client did not wait for it (False Start, RFC 7918).
//
// Turns is settled once the handshake is certain to be over. From then on, the
// client waits exactly when it was the last to send. Turns holds no bytes except
// the start of the server's first message. The zero value is ready; it is not for
// concurrent use.
type Turns struct {
	up, down recordReader
	answer   AnswerObserver // of the server's first message
	version  uint16         // negotiated; 0 if not known yet
	settled  bool
	talk     conversation

	early    bool // the client sent data before the server's first message
	sent     int  // records of type application data from the client
	turns    int  // runs of such records; a record from the server ends a run
	received int  // such records from the server since the client's first
	last     bool // the latest such record came from the server
}

// tickets is how many records with session tickets a server is expected to send
// after a handshake at most. Few servers send more than two.
const tickets = 2

// Up observes the next bytes from the client, including its hello.
func (t *Turns) Up(p []byte) {
	if t.Over() {
		return
	}
	if !t.up.each(p, t.fromClient) {
		t.broke()
	}
}

// Down observes the next bytes from the server.
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

// broke ends the observation because the bytes are not TLS.
func (t *Turns) broke() { t.settled, t.version = true, 0 }

// Answer returns the server's first message, or ErrIncomplete if it has not
// arrived.
func (t *Turns) Answer() (Answer, error) { return t.answer.Answer() }

// Answered reports whether the server's first message has arrived, or can no longer
// arrive.
func (t *Turns) Answered() bool { return t.answer.Done() }

// Settled reports whether the client waits exactly when it was the last to send.
// That is so at once if the bytes are not TLS.
func (t *Turns) Settled() bool { return t.settled }

// Waiting reports whether the client may be waiting for an answer. Call it only
// while the connection is not settled.
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

// Failed reports whether the handshake failed with an alert from the server or the
// client. The Ending is then final.
func (t *Turns) Failed() bool {
	a, err := t.answer.Answer()
	return err == nil && a.Refused || t.talk.alert == Rejected || t.talk.alert == GaveUp
}

// Accepted reports whether the client continued after it had received the server's
// certificate.
func (t *Turns) Accepted() bool { return t.talk.accepted }

// Over reports whether further bytes can change neither Settled nor Ending.
func (t *Turns) Over() bool { return t.settled && (t.talk.called || t.version == 0) }

// Ending returns how the connection ended. byClient means that the client was the
// first to end its side.
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
		return // in TLS 1.3, the server's part of the handshake
	}
	t.received++
	t.last = true
	t.judge()
}

// judge sets settled once the server has sent everything that it sends unasked.
func (t *Turns) judge() {
	switch {
	case t.early: // early data, the Finished, and something after the server's records
		t.settled = t.turns > 2
	case t.version < VersionTLS13:
		t.settled = t.received > 0
	default: // more than the Finished, and either a second turn or more than tickets
		t.settled = t.sent > 1 && (t.turns > 1 || t.received > tickets)
	}
}

// Record types (RFC 8446 5.1) that only this file and ending.go use.
const (
	recordCCS  = 20
	recordData = 23
)

// recordReader finds the records in one direction of a connection.
type recordReader struct {
	header [RecordHeader]byte
	have   int // header bytes read so far
	left   int // bytes of the record still to come
	begun  bool
	short  bool    // the record is a cleartext alert, judging by its length
	alert  [2]byte // the content of that alert
}

// each calls f with the type and length of each record whose header ends in p, or
// for a cleartext alert, of each that ends in p. It reports false if the bytes are
// not TLS.
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
				f(RecordAlert, len(r.alert), &r.alert)
			}
			continue
		}
		n := copy(r.header[r.have:], p)
		r.have += n
		p = p[n:]
		if r.have < RecordHeader {
			break
		}
		r.have = 0
		if r.header[0] < 20 || r.header[0] > 24 || r.header[1] != 3 {
			return false
		}
		r.left = int(binary.BigEndian.Uint16(r.header[3:]))
		if r.short = r.header[0] == RecordAlert && r.left == len(r.alert); !r.short {
			f(r.header[0], r.left, nil)
		}
	}
	return true
}

// FatalAlert finds the first fatal cleartext alert in one direction of a
// connection. The zero value is ready for use.
type FatalAlert struct {
	records recordReader
	number  uint8
	found   bool
}

// Add observes the next bytes.
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

// Number returns the description of that alert (RFC 8446 section 6).
func (a *FatalAlert) Number() (number uint8, found bool) { return a.number, a.found }
