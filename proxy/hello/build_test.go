package hello

import "encoding/binary"

// extension is one extension of a hello to build.
type extension struct {
	id   uint16
	body []byte
}

// buildHello makes a ClientHello message; nil extensions leave out the list.
func buildHello(version uint16, suites []uint16, extensions []extension) []byte {
	body := binary.BigEndian.AppendUint16(nil, version)
	for i := range 32 {
		body = append(body, byte(i))
	}
	body = append(body, 0)
	body = binary.BigEndian.AppendUint16(body, uint16(2*len(suites)))
	for _, s := range suites {
		body = binary.BigEndian.AppendUint16(body, s)
	}
	body = append(body, 1, 0)
	if extensions != nil {
		var list []byte
		for _, e := range extensions {
			list = binary.BigEndian.AppendUint16(list, e.id)
			list = append(binary.BigEndian.AppendUint16(list, uint16(len(e.body))), e.body...)
		}
		body = append(binary.BigEndian.AppendUint16(body, uint16(len(list))), list...)
	}
	return message(typeClientHello, body)
}

func message(typ byte, body []byte) []byte {
	return append([]byte{typ, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
}

// records cuts a message into handshake records of size bytes each.
func records(message []byte, size int) []byte {
	var raw []byte
	for len(message) > 0 {
		n := min(size, len(message))
		raw = append(raw, record(RecordHandshake, message[:n])...)
		message = message[n:]
	}
	return raw
}

func record(typ byte, payload []byte) []byte {
	raw := binary.BigEndian.AppendUint16([]byte{typ, 3, 1}, uint16(len(payload)))
	return append(raw, payload...)
}

// list16 is a list of numbers behind a length of the given size.
func list16(lengthSize int, values ...uint16) []byte {
	var list []byte
	for _, v := range values {
		list = binary.BigEndian.AppendUint16(list, v)
	}
	return prefixed(lengthSize, list)
}

func prefixed(lengthSize int, body []byte) []byte {
	if lengthSize == 1 {
		return append([]byte{byte(len(body))}, body...)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(body))), body...)
}

// serverName is the body of a server_name extension.
func serverName(host string) []byte {
	return prefixed(2, append([]byte{0}, prefixed(2, []byte(host))...))
}

// sslv2Hello is a whole SSL 2.0 framed hello.
func sslv2Hello(version uint16, specs []uint32, session, challenge []byte) []byte {
	body := binary.BigEndian.AppendUint16([]byte{typeClientHello}, version)
	body = binary.BigEndian.AppendUint16(body, uint16(3*len(specs)))
	body = binary.BigEndian.AppendUint16(body, uint16(len(session)))
	body = binary.BigEndian.AppendUint16(body, uint16(len(challenge)))
	for _, s := range specs {
		body = append(body, byte(s>>16), byte(s>>8), byte(s))
	}
	body = append(append(body, session...), challenge...)
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(body))|0x8000), body...)
}
