package rehello

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"tlslift/proxy/hello"
)

const (
	recordChangeCipherSpec = 20
	recordHandshake        = 22
	recordHeader           = 5
	recordMax              = 1<<14 + 2048 // ciphertext, RFC 2246 6.2.3
	typeServerHello        = 2
	randomSize             = 32
	masterSize             = 48
	keepBuffer             = 2 << 10 // larger ones are freed when empty
)

// Needed reports whether crypto/tls would refuse the hello and Wrap can help.
func Needed(h *hello.ClientHello) bool {
	if h.Framing == hello.SSLv2 {
		return h.LegacyVersion >= hello.VersionTLS10
	}
	return h.ServerNameDot && !h.Modern() && h.MaxVersion >= hello.VersionTLS10
}

// Wrap returns the connection to hand to tls.Server in place of conn, which
// must yield the hello's bytes again. config must be this connection's own: it
// is limited to what can be converted.
func Wrap(conn net.Conn, h *hello.ClientHello, config *tls.Config) net.Conn {
	c := &converter{Conn: conn, given: newTranscript(h.Message)}
	message := synthetic(h)
	c.taken = newTranscript(message)
	record := append(binary.BigEndian.AppendUint16([]byte{recordHandshake, 3, 1}, uint16(len(message))), message...)
	c.ready = record
	c.clientRandom = h.Random
	config.SessionTicketsDisabled = true
	config.KeyLogWriter = (*keyLog)(c)
	config.CipherSuites = slices.DeleteFunc(slices.Clone(config.CipherSuites), func(id uint16) bool {
		_, known := suiteByID(id)
		return !known
	})
	if h.Framing == hello.SSLv2 {
		config.MaxVersion = tls.VersionTLS10
	}
	return c
}

// converter is the connection between crypto/tls and the client. During the
// handshake one goroutine reads and writes; afterwards the directions share
// nothing.
type converter struct {
	net.Conn
	skipped bool   // the client's own hello was read away
	early   []byte // what came with it
	ready   []byte // for crypto/tls: the rest of one record
	buffer  []byte // the record that is being read, or that ready is a part of
	have    int    // bytes of the former that have come

	given, taken *transcript // as the client sees the handshake; as crypto/tls does
	clientRandom [randomSize]byte
	serverHello  *serverHello
	master       []byte // nil until crypto/tls has logged it
	in, out      half
}

// keyLog is the converter as the writer of the key log. crypto/tls writes one
// line, "CLIENT_RANDOM random master", as soon as it has read the client's key
// exchange, and before it reads on.
type keyLog converter

func (k *keyLog) Write(line []byte) (int, error) {
	fields := bytes.Fields(line)
	if len(fields) == 3 && string(fields[0]) == "CLIENT_RANDOM" && hex.DecodedLen(len(fields[2])) == masterSize {
		master := make([]byte, masterSize)
		if _, err := hex.Decode(master, fields[2]); err == nil {
			k.master = master
		}
	}
	return len(line), nil
}

// NetConn returns the connection beneath, as tls.Conn.NetConn does.
func (c *converter) NetConn() net.Conn { return c.Conn }

// Read gives crypto/tls the synthetic hello, then the client's records one by
// one, each converted when it is asked for: by then crypto/tls has done what
// the one before demands.
func (c *converter) Read(p []byte) (int, error) {
	for len(c.ready) == 0 {
		if err := c.nextRecord(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.ready)
	c.ready = c.ready[n:]
	if len(c.ready) == 0 && cap(c.buffer) > keepBuffer {
		c.buffer = nil
	}
	return n, nil
}

// nextRecord reads one record of the client and converts it.
func (c *converter) nextRecord() error {
	if !c.skipped {
		if err := c.skipHello(); err != nil {
			return err
		}
	}
	if err := c.fill(recordHeader); err != nil {
		return err
	}
	size := int(binary.BigEndian.Uint16(c.buffer[3:]))
	if size > recordMax {
		// crypto/tls refuses it by the header alone, and reads no further.
		c.ready, c.have = c.buffer, 0
		return nil
	}
	if err := c.fill(recordHeader + size); err != nil {
		return err
	}
	c.ready, c.have = c.buffer, 0
	c.fromClient(c.ready)
	return nil
}

// fill reads on until n bytes of the record are there. When it fails, what has
// come stays for the next try: net/http ends its reads between two requests by
// a deadline, which may pass in the middle of a record.
func (c *converter) fill(n int) error {
	if c.have >= n {
		return nil
	}
	c.buffer = slices.Grow(c.buffer[:c.have], n-c.have)[:n]
	for c.have < n {
		m, err := c.readSome(c.buffer[c.have:])
		c.have += m
		if err != nil && c.have < n {
			if c.have > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// skipHello reads away the client's hello, which crypto/tls must not see.
func (c *converter) skipHello() error {
	_, raw, err := hello.Read(c.Conn, hello.MaxSize)
	if err != nil {
		return fmt.Errorf("read the hello again: %w", err)
	}
	_, n, err := hello.Parse(raw)
	if err != nil {
		return fmt.Errorf("read the hello again: %w", err)
	}
	c.skipped, c.early = true, raw[n:]
	return nil
}

// readSome reads what came with the hello, then what comes.
func (c *converter) readSome(p []byte) (int, error) {
	if len(c.early) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.early)
	if c.early = c.early[n:]; len(c.early) == 0 {
		c.early = nil
	}
	return n, nil
}

// fromClient notes a record of the client in both transcripts, or converts it.
func (c *converter) fromClient(record []byte) {
	switch {
	case c.in.sealed:
		c.convert(&c.in, record, clientFinished, c.given, c.taken)
	case record[0] == recordHandshake:
		c.note(record[recordHeader:])
	case record[0] == recordChangeCipherSpec:
		c.in.sealed = true
		c.startKeys()
	}
}

// Write takes whole records of crypto/tls and sends them on.
func (c *converter) Write(p []byte) (int, error) {
	records := slices.Clone(p) // p is not ours to change
	for rest := records; len(rest) >= recordHeader; {
		end := recordHeader + int(binary.BigEndian.Uint16(rest[3:]))
		if end > len(rest) {
			break
		}
		c.fromServer(rest[:end])
		rest = rest[end:]
	}
	n, err := c.Conn.Write(records)
	return n, err
}

// fromServer is fromClient for the other direction.
func (c *converter) fromServer(record []byte) {
	switch {
	case c.out.sealed:
		if !c.out.started {
			defer c.forget()
		}
		c.convert(&c.out, record, serverFinished, c.taken, c.given)
	case record[0] == recordHandshake:
		if c.serverHello == nil {
			c.serverHello = parseServerHello(record[recordHeader:])
		}
		c.note(record[recordHeader:])
	case record[0] == recordChangeCipherSpec:
		c.out.sealed = true
	}
}

// note adds what both sides see alike.
func (c *converter) note(messages []byte) {
	c.given.add(messages)
	c.taken.add(messages)
}

// startKeys derives the keys, which both sides begin to use now. Without them
// all records pass unconverted, and crypto/tls refuses the first.
func (c *converter) startKeys() {
	if c.master == nil || c.serverHello == nil {
		return
	}
	if s, known := suiteByID(c.serverHello.suite); known {
		c.in, c.out = s.halves(c.master, c.clientRandom, c.serverHello.random, c.serverHello.version)
		c.in.sealed = true
	}
}

// convert passes one record of a sealed direction. The first carries the
// Finished that the sender's transcript demands, and leaves with that of the
// receiver's.
func (c *converter) convert(h *half, record []byte, label string, sender, receiver *transcript) {
	if h.keyed() && !h.started && record[0] == recordHandshake {
		want, give := sender.finished(c.master, label), receiver.finished(c.master, label)
		h.swap(record, want, give)
		sender.add(want)
		receiver.add(give)
	} else {
		h.rechain(record)
	}
	h.started = true
}

// forget drops what only the handshake needed, secrets first.
func (c *converter) forget() {
	clear(c.master)
	c.master, c.given, c.taken, c.serverHello = nil, nil, nil, nil
}

// serverHello is what the keys depend on.
type serverHello struct {
	version, suite uint16
	random         [randomSize]byte
}

// parseServerHello reads the start of crypto/tls's first message.
func parseServerHello(message []byte) *serverHello {
	s := cryptobyte.String(message)
	var typ uint8
	var body, session cryptobyte.String
	h := new(serverHello)
	if !s.ReadUint8(&typ) || typ != typeServerHello || !s.ReadUint24LengthPrefixed(&body) ||
		!body.ReadUint16(&h.version) || !body.CopyBytes(h.random[:]) ||
		!body.ReadUint8LengthPrefixed(&session) || !body.ReadUint16(&h.suite) {
		return nil
	}
	return h
}
