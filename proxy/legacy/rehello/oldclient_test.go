package rehello

import (
	"bytes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5" // TLS 1.0 is made of it
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // TLS 1.0 is made of it
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// oldClient is a TLS 1.0 or 1.1 client with RSA key exchange, as simple as
// one can be, that says hello as no crypto/tls client would. It checks what a
// client must check.
type oldClient struct {
	conn       net.Conn
	version    uint16
	suite      uint16
	hello      []byte            // on the wire
	covered    []byte            // the part of hello that the handshake hash covers
	random     [randomSize]byte  // as the keys see it
	tamper     func(rec []byte)  // sees each sealed record before it is sent; may be nil
	finishedOf func(data []byte) // changes verify_data before it is sealed; may be nil

	log        bytes.Buffer // handshake messages
	pending    []byte       // handshake messages read
	master     []byte
	send, recv oldHalf
}

type oldHalf struct {
	mac      []byte
	stream   cipher.Stream
	block    cipher.Block
	iv       []byte
	explicit bool
	seq      uint64
}

// sslv2Client frames its hello as SSL 2.0 did.
func sslv2Client(conn net.Conn, suite uint16, challenge int) *oldClient {
	c := &oldClient{conn: conn, version: 0x0301, suite: suite}
	_, _ = rand.Read(c.random[randomSize-challenge:])
	body := []byte{1, 3, 1, 0, 6, 0, 0, 0, byte(challenge), 0, byte(suite >> 8), byte(suite), 1, 0, 0x80}
	c.covered = append(body, c.random[randomSize-challenge:]...)
	c.hello = append([]byte{0x80, byte(len(c.covered))}, c.covered...)
	return c
}

// dottedClient names a server with a trailing dot.
func dottedClient(conn net.Conn, version, suite uint16) *oldClient {
	c := &oldClient{conn: conn, version: version, suite: suite}
	_, _ = rand.Read(c.random[:])
	body := append(binary.BigEndian.AppendUint16(nil, version), c.random[:]...)
	body = append(body, 0, 0, 4, byte(suite>>8), byte(suite), 0, 0xff, 1, 0)
	name := "localhost."
	sni := append([]byte{0, 0, 0, byte(len(name) + 5), 0, byte(len(name) + 3), 0, 0, byte(len(name))}, name...)
	extensions := append(sni, 0, 23, 0, 0, 0, 35, 0, 0) // extended master secret and a ticket: to be ignored
	body = append(append(body, 0, byte(len(extensions))), extensions...)
	c.covered = append([]byte{1, 0, 0, byte(len(body))}, body...)
	c.hello = append([]byte{22, 3, 1, 0, byte(len(c.covered))}, c.covered...)
	return c
}

func (c *oldClient) handshake() error {
	if _, err := c.conn.Write(c.hello); err != nil {
		return err
	}
	c.log.Write(c.covered)
	serverRandom, public, err := c.readFlight()
	if err != nil {
		return err
	}
	pre := make([]byte, 48)
	_, _ = rand.Read(pre)
	binary.BigEndian.PutUint16(pre, c.version)
	sealed, err := rsa.EncryptPKCS1v15(rand.Reader, public, pre) //nolint:staticcheck // deprecated as TLS 1.0 itself is
	if err != nil {
		return err
	}
	exchange := append(binary.BigEndian.AppendUint16([]byte{16, 0, 1, 2}, uint16(len(sealed))), sealed...)
	c.master = make([]byte, 48)
	prf(c.master, pre, "master secret", append(c.random[:], serverRandom...))
	c.makeKeys(serverRandom)
	c.log.Write(exchange)
	if err := c.write(22, exchange, false); err != nil {
		return err
	}
	if err := c.write(20, []byte{1}, false); err != nil {
		return err
	}
	finished := c.finished("client finished")
	c.log.Write(finished)
	if c.finishedOf != nil {
		c.finishedOf(finished[4:])
	}
	if err := c.write(22, finished, true); err != nil {
		return err
	}
	if typ, _, err := c.read(false); err != nil || typ != 20 {
		return fmt.Errorf("instead of ChangeCipherSpec: %d, %w", typ, err)
	}
	want := c.finished("server finished")
	typ, got, err := c.read(true)
	if err != nil || typ != 22 || !bytes.Equal(got, want) {
		return fmt.Errorf("the server's Finished is wrong: %d, %w", typ, err)
	}
	return nil
}

// readFlight reads up to ServerHelloDone.
func (c *oldClient) readFlight() (random []byte, public *rsa.PublicKey, err error) {
	for {
		typ, body, err := c.message()
		if err != nil {
			return nil, nil, err
		}
		switch typ {
		case 2:
			random = body[2:34]
			if got := binary.BigEndian.Uint16(body); got != c.version {
				return nil, nil, fmt.Errorf("version %04x", got)
			}
			if got := binary.BigEndian.Uint16(body[35+body[34]:]); got != c.suite {
				return nil, nil, fmt.Errorf("suite %04x", got)
			}
		case 11:
			cert, err := x509.ParseCertificate(body[6:])
			if err != nil {
				return nil, nil, err
			}
			public = cert.PublicKey.(*rsa.PublicKey)
		case 14:
			return random, public, nil
		default:
			return nil, nil, fmt.Errorf("unexpected message %d", typ)
		}
	}
}

func (c *oldClient) message() (typ byte, body []byte, err error) {
	for {
		if len(c.pending) >= 4 {
			size := 4 + int(c.pending[1])<<16 + int(c.pending[2])<<8 + int(c.pending[3])
			if len(c.pending) >= size {
				m := c.pending[:size]
				c.pending = c.pending[size:]
				c.log.Write(m)
				return m[0], m[4:], nil
			}
		}
		_, data, err := c.read(false)
		if err != nil {
			return 0, nil, err
		}
		c.pending = append(c.pending, data...)
	}
}

func (c *oldClient) finished(label string) []byte {
	m, s := md5.Sum(c.log.Bytes()), sha1.Sum(c.log.Bytes())
	out := append([]byte{20, 0, 0, 12}, make([]byte, 12)...)
	prf(out[4:], c.master, label, append(m[:], s[:]...))
	return out
}

func (c *oldClient) makeKeys(serverRandom []byte) {
	s, _ := suiteByID(c.suite)
	block := make([]byte, 2*(20+s.key+s.iv))
	prf(block, c.master, "key expansion", append(bytes.Clone(serverRandom), c.random[:]...))
	for i, h := range []*oldHalf{&c.send, &c.recv} {
		h.mac = block[20*i:][:20]
		key := block[40+s.key*i:][:s.key]
		h.iv = bytes.Clone(block[40+2*s.key+s.iv*i:][:s.iv])
		h.explicit = c.version > 0x0301
		if s.block == nil {
			h.stream = newRC4(key)
			continue
		}
		h.block, _ = s.block(key)
	}
}

func (h *oldHalf) sum(typ byte, version uint16, data []byte) []byte {
	mac := hmac.New(sha1.New, h.mac)
	header := append(binary.BigEndian.AppendUint64(nil, h.seq), typ, byte(version>>8), byte(version))
	mac.Write(binary.BigEndian.AppendUint16(header, uint16(len(data))))
	mac.Write(data)
	h.seq++
	return mac.Sum(nil)
}

func (c *oldClient) write(typ byte, data []byte, sealed bool) error {
	body := bytes.Clone(data)
	if h := &c.send; sealed {
		body = append(body, h.sum(typ, c.version, data)...)
		if h.stream != nil {
			h.stream.XORKeyStream(body, body)
		} else {
			size := h.block.BlockSize()
			pad := size - (len(body)+1)%size
			if pad == size {
				pad = 0
			}
			body = append(body, bytes.Repeat([]byte{byte(pad)}, pad+1)...)
			var front []byte
			if h.explicit {
				_, _ = rand.Read(h.iv)
				front = bytes.Clone(h.iv)
			}
			cipher.NewCBCEncrypter(h.block, h.iv).CryptBlocks(body, body)
			h.iv = bytes.Clone(body[len(body)-size:])
			body = append(front, body...)
		}
	}
	record := append([]byte{typ, byte(c.version >> 8), byte(c.version), byte(len(body) >> 8), byte(len(body))}, body...)
	if sealed && c.tamper != nil {
		c.tamper(record)
	}
	_, err := c.conn.Write(record)
	return err
}

// alertError is an alert of the server.
type alertError byte

func (a alertError) Error() string { return fmt.Sprintf("alert %d", byte(a)) }

func (c *oldClient) read(sealed bool) (typ byte, data []byte, err error) {
	header := make([]byte, 5)
	if _, err := io.ReadFull(c.conn, header); err != nil {
		return 0, nil, err
	}
	data = make([]byte, binary.BigEndian.Uint16(header[3:]))
	if _, err := io.ReadFull(c.conn, data); err != nil {
		return 0, nil, err
	}
	if sealed {
		if data, err = c.open(header[0], data); err != nil {
			return 0, nil, err
		}
	}
	if header[0] == 21 && len(data) == 2 {
		return 21, data, alertError(data[1])
	}
	return header[0], data, nil
}

func (c *oldClient) open(typ byte, data []byte) ([]byte, error) {
	h := &c.recv
	if h.stream != nil {
		h.stream.XORKeyStream(data, data)
	} else {
		size := h.block.BlockSize()
		if len(data)%size != 0 || len(data) == 0 {
			return nil, errors.New("no whole blocks")
		}
		if h.explicit {
			h.iv, data = data[:size], data[size:]
		}
		last := bytes.Clone(data[len(data)-size:])
		cipher.NewCBCDecrypter(h.block, h.iv).CryptBlocks(data, data)
		h.iv = last
		data = data[:len(data)-1-int(data[len(data)-1])]
	}
	data, mac := data[:len(data)-20], data[len(data)-20:]
	if !hmac.Equal(mac, h.sum(typ, c.version, data)) {
		return nil, errors.New("bad MAC")
	}
	return data, nil
}
