package hello

import (
	"encoding/binary"
	"fmt"
)

const (
	recordAlert     = 21
	recordHandshake = 22
	recordHeader    = 5
	recordMax       = 1 << 14 // plaintext, RFC 8446 5.1
	messageHeader   = 4
	typeClientHello = 1
	typeServerHello = 2
	sslv2Header     = 2
)

// assembler finds the end of a hello in a growing buffer. It looks at every
// byte once however often it is asked, so a client that sends one byte per
// segment costs no more than any other.
type assembler struct {
	framing Framing
	version uint16 // of the first record
	end     int    // bytes of whole records consumed so far
	message []byte // the handshake message so far, header included
	shared  bool   // message is still a part of the buffer
	want    int    // length of the whole message, 0 while unknown
}

// advance consumes what is new in raw, which must begin with the bytes of the
// call before. It returns nil once the hello is whole, ErrIncomplete with the
// number of bytes needed at least, or why this can be no hello.
func (a *assembler) advance(raw []byte) (need int, err error) {
	if len(raw) == 0 {
		return recordHeader, ErrIncomplete
	}
	if raw[0]&0x80 != 0 {
		return a.advanceSSLv2(raw)
	}
	for {
		payload, need, err := nextRecord(raw[a.end:], recordHandshake)
		if err != nil {
			return a.end + max(need, recordHeader+a.want-len(a.message)), err
		}
		if a.end == 0 {
			a.version = binary.BigEndian.Uint16(raw[1:])
		}
		a.end += recordHeader + len(payload)
		done, err := a.add(payload, typeClientHello)
		if err != nil {
			return a.end, err
		}
		if done {
			return a.end, nil
		}
	}
}

// add appends a record's payload to the message and reports whether that is
// whole. A first payload that holds the whole message is not copied.
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

// nextRecord returns the payload of the record at the start of raw. As much
// of the header as is there is judged at once, so garbage is recognised
// by its first bytes.
func nextRecord(raw []byte, typ byte) (payload []byte, need int, err error) {
	if len(raw) > 0 && raw[0] != typ {
		return nil, 0, fmt.Errorf("%w: record type %d", ErrNotTLS, raw[0])
	}
	if len(raw) > 1 && raw[1] != 3 {
		return nil, 0, fmt.Errorf("%w: record version %d.x", ErrNotTLS, raw[1])
	}
	if len(raw) < recordHeader {
		return nil, recordHeader, ErrIncomplete
	}
	size := int(binary.BigEndian.Uint16(raw[3:]))
	if size == 0 || size > recordMax {
		return nil, 0, fmt.Errorf("%w: handshake record of %d bytes", ErrMalformed, size)
	}
	if len(raw) < recordHeader+size {
		return nil, recordHeader + size, ErrIncomplete
	}
	return raw[recordHeader : recordHeader+size], 0, nil
}

// hello parses the whole message that advance found.
func (a *assembler) hello(raw []byte) (*ClientHello, error) {
	h := &ClientHello{Framing: a.framing, RecordVersion: a.version}
	if a.framing == SSLv2 {
		h.Message = raw[sslv2Header:a.end:a.end]
		return h, h.parseSSLv2(h.Message)
	}
	h.Message = a.message
	return h, h.parseTLS(a.message[messageHeader:])
}
