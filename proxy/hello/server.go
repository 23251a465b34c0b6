package hello

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// Answer is a server's first message after a ClientHello: a ServerHello, or an
// alert that refuses.
type Answer struct {
	Version     uint16 // negotiated, from supported_versions if present; 0 if refused
	CipherSuite uint16
	Random      [32]byte
	Refused     bool // with Level and Alert
	Level       uint8
	Alert       uint8 // RFC 8446 section 6
}

// maxAnswer is how many bytes of a server's first flight are examined at most. A
// ServerHello with a post-quantum key share is below 1.5 KiB.
const maxAnswer = 16 << 10

// AnswerObserver observes a server's bytes while they are relayed. Write takes them
// in order and never fails. Answer returns the result once Done. It holds at most
// 16 KiB, and nothing once it is done. The zero value is ready for use.
type AnswerObserver struct {
	buf    []byte
	a      assembler
	answer Answer
	err    error
	done   bool
}

// Write observes the next bytes. It always reports all of them as written.
func (o *AnswerObserver) Write(p []byte) (int, error) {
	if o.done {
		return len(p), nil
	}
	room := min(len(p), maxAnswer-len(o.buf))
	o.buf = append(o.buf, p[:room]...)
	o.answer, o.err = o.a.answer(o.buf)
	if errors.Is(o.err, ErrIncomplete) && len(o.buf) < maxAnswer {
		return len(p), nil
	}
	o.done, o.buf, o.a = true, nil, assembler{}
	return len(p), nil
}

// Done reports whether no more bytes are needed.
func (o *AnswerObserver) Done() bool { return o.done }

// Answer returns what the server sent. The error is ErrIncomplete while that is
// unknown; other errors wrap ErrNotTLS or ErrMalformed.
func (o *AnswerObserver) Answer() (Answer, error) {
	if !o.done && o.err == nil {
		return Answer{}, ErrIncomplete
	}
	return o.answer, o.err
}

// answer parses the server's first message from raw, which grows from call to call.
// It skips warning alerts before that message, such as unrecognized_name.
func (a *assembler) answer(raw []byte) (Answer, error) {
	for {
		rest := raw[a.end:]
		if a.message == nil && len(rest) > 0 && rest[0] == RecordAlert {
			payload, _, err := nextRecord(rest, RecordAlert)
			if err != nil {
				return Answer{}, err
			}
			if len(payload) != 2 {
				return Answer{}, fmt.Errorf("%w: alert of %d bytes", ErrMalformed, len(payload))
			}
			const warning, closeNotify = 1, 0
			if payload[0] == warning && payload[1] != closeNotify {
				a.end += RecordHeader + len(payload)
				continue
			}
			return Answer{Refused: true, Level: payload[0], Alert: payload[1]}, nil
		}
		payload, _, err := nextRecord(rest, RecordHandshake)
		if err != nil {
			return Answer{}, err
		}
		a.end += RecordHeader + len(payload)
		done, err := a.add(payload, typeServerHello)
		if err != nil {
			return Answer{}, err
		}
		if done {
			return ParseServerHello(a.message)
		}
	}
}

// ParseServerHello parses a message that begins with a ServerHello (RFC 8446 4.1.3).
// That includes a HelloRetryRequest, which names the version and suite in the same
// way. The error wraps ErrMalformed.
func ParseServerHello(message []byte) (Answer, error) {
	messages := cryptobyte.String(message)
	var answer Answer
	var s, session, extensions cryptobyte.String
	var typ, compression uint8
	if !messages.ReadUint8(&typ) || typ != typeServerHello || !messages.ReadUint24LengthPrefixed(&s) ||
		!s.ReadUint16(&answer.Version) || !s.CopyBytes(answer.Random[:]) || !s.ReadUint8LengthPrefixed(&session) ||
		!s.ReadUint16(&answer.CipherSuite) || !s.ReadUint8(&compression) ||
		!s.Empty() && !s.ReadUint16LengthPrefixed(&extensions) {
		return Answer{}, fmt.Errorf("%w: ServerHello is cut short", ErrMalformed)
	}
	for !extensions.Empty() {
		var ext uint16
		var value cryptobyte.String
		if !extensions.ReadUint16(&ext) || !extensions.ReadUint16LengthPrefixed(&value) {
			return Answer{}, fmt.Errorf("%w: ServerHello extensions are cut short", ErrMalformed)
		}
		if ext == extSupportedVersions && !value.ReadUint16(&answer.Version) {
			return Answer{}, fmt.Errorf("%w: ServerHello names no version", ErrMalformed)
		}
	}
	return answer, nil
}
