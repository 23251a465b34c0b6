package hello

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// Answer is what a server said first to a ClientHello: a ServerHello, or an
// alert that refuses.
type Answer struct {
	Version     uint16 // negotiated, supported_versions taken into account; 0 when refused
	CipherSuite uint16
	Refused     bool // Level and Alert say how
	Level       uint8
	Alert       uint8 // RFC 8446 section 6
}

// maxAnswer is the most bytes of a server's flight that are looked at: a
// ServerHello with a post-quantum key share is below 1.5 KiB.
const maxAnswer = 16 << 10

// AnswerObserver looks on while a server's bytes are relayed. Write takes the
// bytes in order and never fails; Answer has the result once Done. It holds
// at most 16 KiB, and nothing once it is done. The zero value is ready.
type AnswerObserver struct {
	buf    []byte
	a      assembler
	answer Answer
	err    error
	done   bool
}

// Write looks at the next bytes. It always reports them all as written.
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

// Answer is what the server said. The error is ErrIncomplete while that is
// not known, or wraps ErrNotTLS or ErrMalformed.
func (o *AnswerObserver) Answer() (Answer, error) {
	if !o.done && o.err == nil {
		return Answer{}, ErrIncomplete
	}
	return o.answer, o.err
}

// answer reads the server's first message from raw, which grows from call to
// call. Warnings that come before it, such as unrecognized_name, are skipped.
func (a *assembler) answer(raw []byte) (Answer, error) {
	for {
		rest := raw[a.end:]
		if a.message == nil && len(rest) > 0 && rest[0] == recordAlert {
			payload, _, err := nextRecord(rest, recordAlert)
			if err != nil {
				return Answer{}, err
			}
			if len(payload) != 2 {
				return Answer{}, fmt.Errorf("%w: alert of %d bytes", ErrMalformed, len(payload))
			}
			const warning, closeNotify = 1, 0
			if payload[0] == warning && payload[1] != closeNotify {
				a.end += recordHeader + len(payload)
				continue
			}
			return Answer{Refused: true, Level: payload[0], Alert: payload[1]}, nil
		}
		payload, _, err := nextRecord(rest, recordHandshake)
		if err != nil {
			return Answer{}, err
		}
		a.end += recordHeader + len(payload)
		done, err := a.add(payload, typeServerHello)
		if err != nil {
			return Answer{}, err
		}
		if done {
			return parseServerHello(a.message[messageHeader:])
		}
	}
}

// parseServerHello reads the body of a ServerHello (RFC 8446 4.1.3), a
// HelloRetryRequest too, which names the version and suite just the same.
func parseServerHello(body []byte) (Answer, error) {
	s := cryptobyte.String(body)
	var answer Answer
	var session, extensions cryptobyte.String
	var compression uint8
	if !s.ReadUint16(&answer.Version) || !s.Skip(32) || !s.ReadUint8LengthPrefixed(&session) ||
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
