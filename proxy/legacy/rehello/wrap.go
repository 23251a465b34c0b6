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

	"tlslift/proxy/hello"
)

const (
	recordChangeCipherSpec = 20
	recordMax              = 1<<14 + 2048 // ciphertext, RFC 2246 6.2.3
	randomSize             = 32
	masterSize             = 48
	keepBuffer             = 2 << 10 // in bytes; larger buffers are freed when empty
)

// Needed reports whether crypto/tls would refuse the hello and Wrap can help.
func Needed(h *hello.ClientHello) bool {
	if h.Framing == hello.SSLv2 {
		return h.LegacyVersion >= hello.VersionTLS10
	}
	return h.ServerNameDot && !h.Modern() && h.MaxVersion >= hello.VersionTLS10
}

// Wrap returns the connection to pass to tls.Server in place of conn, which must
// yield the hello's bytes again. Wrap restricts config to what can be converted, so
// config must not be shared.
func Wrap(conn net.Conn, h *hello.ClientHello, config *tls.Config) net.Conn {
	c := &converter{Conn: conn, given: newTranscript(h.Message)}
	message := synthetic(h)
	c.taken = newTranscript(message)
	record := append(binary.BigEndian.AppendUint16([]byte{hello.RecordHandshake, 3, 1}, uint16(len(message))), message...)
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

// converter sits between crypto/tls and the client. During the handshake one
// goroutine reads and writes; afterwards the two directions share no state.
type converter struct {
	net.Conn
	skipped bool   // the client's own hello was consumed
	early   []byte // bytes that arrived with it
	ready   []byte // for crypto/tls: the rest of one record
	buffer  []byte // the record being read, or the one that ready is part of
	have    int    // bytes read so far of the record being read

	given, taken *transcript // the handshake as the client sees it, and as crypto/tls does
	clientRandom [randomSize]byte
	serverHello  hello.Answer // Version is 0 until it was sent
	master       []byte       // nil until crypto/tls has logged it
	in, out      half
}

// keyLog is the converter as the key log's writer. crypto/tls writes one line,
// "CLIENT_RANDOM random master", as soon as it has read the client's key exchange,
// before it reads any more.
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

// NetConn returns the underlying connection, as tls.Conn.NetConn does.
func (c *converter) NetConn() net.Conn { return c.Conn }

// Read yields the synthetic hello, then the client's records one by one. It
// converts each only when crypto/tls asks for it, because crypto/tls has processed
// the previous record by then.
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

// nextRecord reads one record from the client and converts it.
func (c *converter) nextRecord() error {
	if !c.skipped {
		if err := c.skipHello(); err != nil {
			return err
		}
	}
	if err := c.fill(hello.RecordHeader); err != nil {
		return err
	}
	size := int(binary.BigEndian.Uint16(c.buffer[3:]))
	if size > recordMax {
		// crypto/tls refuses it because of its header, and reads no further.
		c.ready, c.have = c.buffer, 0
		return nil
	}
	if err := c.fill(hello.RecordHeader + size); err != nil {
		return err
	}
	c.ready, c.have = c.buffer, 0
	c.fromClient(c.ready)
	return nil
}

// fill reads until it has n bytes of the record. If it fails, the bytes read so far
// stay for the next call: a reader may end a read with a deadline, which may pass
// in the middle of a record.
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

// skipHello consumes the client's hello, which crypto/tls must not see.
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

// readSome reads the bytes that arrived with the hello, then from the connection.
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

// fromClient adds a record from the client to both transcripts, or converts it.
func (c *converter) fromClient(record []byte) {
	switch {
	case c.in.sealed:
		c.convert(&c.in, record, clientFinished, c.given, c.taken)
	case record[0] == hello.RecordHandshake:
		c.note(record[hello.RecordHeader:])
	case record[0] == recordChangeCipherSpec:
		c.in.sealed = true
		c.startKeys()
	}
}

// Write converts and sends whole records from crypto/tls.
func (c *converter) Write(p []byte) (int, error) {
	records := slices.Clone(p) // Write must not modify p
	for rest := records; len(rest) >= hello.RecordHeader; {
		end := hello.RecordHeader + int(binary.BigEndian.Uint16(rest[3:]))
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
	case record[0] == hello.RecordHandshake:
		if c.serverHello.Version == 0 {
			c.serverHello, _ = hello.ParseServerHello(record[hello.RecordHeader:])
		}
		c.note(record[hello.RecordHeader:])
	case record[0] == recordChangeCipherSpec:
		c.out.sealed = true
	}
}

// note adds messages to both transcripts.
func (c *converter) note(messages []byte) {
	c.given.add(messages)
	c.taken.add(messages)
}

// startKeys derives the keys when the client begins to use them. If it cannot, all
// records pass unconverted, and crypto/tls refuses the first.
func (c *converter) startKeys() {
	if c.master == nil || c.serverHello.Version == 0 {
		return
	}
	if s, known := suiteByID(c.serverHello.CipherSuite); known {
		c.in, c.out = s.halves(c.master, c.clientRandom, c.serverHello.Random, c.serverHello.Version)
		c.in.sealed = true
	}
}

// convert converts one record of an encrypted direction. In the first, it replaces
// the Finished for the sender's transcript with the one for the receiver's.
func (c *converter) convert(h *half, record []byte, label string, sender, receiver *transcript) {
	if h.keyed() && !h.started && record[0] == hello.RecordHandshake {
		want, give := sender.finished(c.master, label), receiver.finished(c.master, label)
		h.swap(record, want, give)
		sender.add(want)
		receiver.add(give)
	} else {
		h.rechain(record)
	}
	h.started = true
}

// forget drops what only the handshake needed, and clears the master secret.
func (c *converter) forget() {
	clear(c.master)
	c.master, c.given, c.taken, c.serverHello = nil, nil, nil, hello.Answer{}
}
