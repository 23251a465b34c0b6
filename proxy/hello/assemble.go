package hello

import (
	"encoding/binary"
	"fmt"
)

// Parts of a record (RFC 8446 5.1).
const (
	RecordAlert     = 21 // content types
	RecordHandshake = 22
	RecordHeader    = 5 // length of the header, in bytes
)

const (
	recordMax       = 1 << 14 // plaintext, RFC 8446 5.1
	messageHeader   = 4
	typeClientHello = 1
	typeServerHello = 2
	sslv2Header     = 2
)

// assembler finds the end of a hello in a growing buffer. It looks at every
// byte once, however often it is called, so a client that sends one byte per
// segment costs no more than any other.
type assembler struct {
	framing Framing
	version uint16 // of the first record
	end     int    // bytes of complete records consumed so far
	message []byte // the handshake message so far, including its header
	shared  bool   // message still aliases the buffer
	want    int    // length of the complete message; 0 while unknown
}

// advance consumes the new bytes in raw, which must begin with the bytes of the
// previous call. It returns a nil error once the hello is complete, ErrIncomplete
// with the least number of bytes needed, or why this cannot be a hello.
func (a *assembler) advance(raw []byte) (need int, err error) {
	if len(raw) == 0 {
		return RecordHeader, ErrIncomplete
	}
	if raw[0]&0x80 != 0 {
		return a.advanceSSLv2(raw)
	}
	for {
		payload, need, err := nextRecord(raw[a.end:], RecordHandshake)
		if err != nil {
			return a.end + max(need, RecordHeader+a.want-len(a.message)), err
		}
		if a.end == 0 {
			a.version = binary.BigEndian.Uint16(raw[1:])
		}
		a.end += RecordHeader + len(payload)
		done, err := a.add(payload, typeClientHello)
		if err != nil {
			return a.end, err
		}
		if done {
			return a.end, nil
		}
	}
}

// add appends a record's payload to the message and reports whether the message is
// complete. If the first payload holds the whole message, it is not copied.
func (a *assembler) add(payload []byte, typ byte) (done bool, err error) {
	switch {
	case a.message == nil:
		a.message, a.shared = payload, true
	case a.shared:
		a.message, a.shared = append(append(make([]byte, 0, 2*len(a.message)+512), a.message...), payload...), false
	default:
		a.message = append(a.message, payload...)
	}
	if a.message[0] != typ {
		return false, fmt.Errorf("%w: handshake message %d comes first", ErrMalformed, a.message[0])
	}
	if len(a.message) < messageHeader {
		return false, nil
	}
	if a.want == 0 {
		a.want = messageHeader + int(a.message[1])<<16 + int(a.message[2])<<8 + int(a.message[3])
		if a.want > MaxSize {
			return false, fmt.Errorf("%w: it announces %d bytes", ErrTooLarge, a.want)
		}
	}
	if len(a.message) < a.want {
		return false, nil
	}
	a.message = a.message[:a.want:a.want]
	return true, nil
}

// nextRecord returns the payload of the record at the start of raw. It checks as
// much of the header as has arrived, so garbage is recognised by its first bytes.
func nextRecord(raw []byte, typ byte) (payload []byte, need int, err error) {
	if len(raw) > 0 && raw[0] != typ {
		return nil, 0, fmt.Errorf("%w: record type %d", ErrNotTLS, raw[0])
	}
	if len(raw) > 1 && raw[1] != 3 {
		return nil, 0, fmt.Errorf("%w: record version %d.x", ErrNotTLS, raw[1])
	}
	if len(raw) < RecordHeader {
		return nil, RecordHeader, ErrIncomplete
	}
	size := int(binary.BigEndian.Uint16(raw[3:]))
	if size == 0 || size > recordMax {
		return nil, 0, fmt.Errorf("%w: handshake record of %d bytes", ErrMalformed, size)
	}
	if len(raw) < RecordHeader+size {
		return nil, RecordHeader + size, ErrIncomplete
	}
	return raw[RecordHeader : RecordHeader+size], 0, nil
}

// hello parses the complete message that advance found.
func (a *assembler) hello(raw []byte) (*ClientHello, error) {
	h := &ClientHello{Framing: a.framing, RecordVersion: a.version}
	if a.framing == SSLv2 {
		h.Message = raw[sslv2Header:a.end:a.end]
		return h, h.parseSSLv2(h.Message)
	}
	h.Message = a.message
	return h, h.parseTLS(a.message[messageHeader:])
}
