package hello

import (
	"crypto/tls"
	"net"
	"testing"

	"tlslift/test/certs"
)

// said is a piece of a conversation: who spoke, and in which records.
type said struct {
	down    bool
	records []byte // types
}

const (
	hs  = 22
	ccs = 20
	app = recordData
)

// speak gives a Turns a conversation that begins with the hellos. The pieces
// are split in every place.
func speak(version uint16, after ...said) *Turns {
	t := new(Turns)
	one := func(down bool, p []byte) {
		for i := range p {
			if down {
				t.Down(p[i : i+1])
			} else {
				t.Up(p[i : i+1])
			}
		}
	}
	early := len(after) > 0 && !after[0].down
	one(false, []byte{hs, 3, 1, 0, 4, 1, 2, 3, 4})
	if early {
		one(false, inRecords(after[0].records))
		after = after[1:]
	}
	one(true, serverFlight(version))
	for _, s := range after {
		one(s.down, inRecords(s.records))
	}
	return t
}

func serverFlight(version uint16) []byte {
	if version == VersionTLS13 {
		return append(recordsOf(serverHello(VersionTLS12, 0x1301, VersionTLS13)), inRecords([]byte{ccs, app, app})...)
	}
	return recordsOf(serverHello(version, 0xc02f))
}

func recordsOf(message []byte) []byte { return records(message, 9000) }

// inRecords is one record of 30 bytes for each type.
func inRecords(types []byte) []byte {
	var out []byte
	for _, kind := range types {
		out = append(append(out, kind, 3, 3, 0, 30), make([]byte, 30)...)
	}
	return out
}

func TestTurns(t *testing.T) {
	t.Parallel()
	up := func(types ...byte) said { return said{false, types} }
	down := func(types ...byte) said { return said{true, types} }
	for name, tt := range map[string]struct {
		version          uint16
		after            []said
		waiting, settled bool // settled: then waiting is not asked
	}{
		"1.3: hellos alone":                      {VersionTLS13, []said{down()}, false, false},
		"1.3: handshake done":                    {VersionTLS13, []said{down(), up(ccs, app)}, false, false},
		"1.3: ... and tickets":                   {VersionTLS13, []said{down(), up(ccs, app), down(app, app)}, false, false},
		"1.3: a request with the Finished":       {VersionTLS13, []said{down(), up(ccs, app, app)}, true, false},
		"1.3: ... one ticket":                    {VersionTLS13, []said{down(), up(ccs, app, app), down(app)}, true, false},
		"1.3: ... two tickets":                   {VersionTLS13, []said{down(), up(ccs, app, app), down(app, app)}, true, false},
		"1.3: ... and the answer":                {VersionTLS13, []said{down(), up(ccs, app, app), down(app, app, app)}, false, true},
		"1.3: a request after the tickets":       {VersionTLS13, []said{down(), up(ccs, app), down(app, app), up(app)}, true, true},
		"1.3: a second request":                  {VersionTLS13, []said{down(), up(ccs, app, app), down(app, app), up(app)}, true, true},
		"1.3: early data":                        {VersionTLS13, []said{up(app)}, true, false},
		"1.3: ... the handshake's end":           {VersionTLS13, []said{up(app), down(), up(app, app), down(app, app, app, app)}, true, false},
		"1.3: ... and another request":           {VersionTLS13, []said{up(app), down(), up(app, app), down(app, app), up(app)}, true, true},
		"1.2: handshake done":                    {VersionTLS12, []said{down(hs, hs), up(hs, ccs, hs), down(ccs, hs)}, false, false},
		"1.2: a request that waited":             {VersionTLS12, []said{down(hs, hs), up(hs, ccs, hs), down(ccs, hs), up(app)}, true, false},
		"1.2: ... and its answer":                {VersionTLS12, []said{down(hs, hs), up(hs, ccs, hs), down(ccs, hs), up(app), down(app)}, false, true},
		"1.2: False Start":                       {VersionTLS12, []said{down(hs, hs), up(hs, ccs, hs, app)}, true, false},
		"1.2: ... and the rest of the handshake": {VersionTLS12, []said{down(hs, hs), up(hs, ccs, hs, app), down(hs, ccs, hs)}, true, false},
		"1.2: ... and the answer":                {VersionTLS12, []said{down(hs, hs), up(hs, ccs, hs, app), down(hs, ccs, hs, app)}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := speak(tt.version, tt.after...)
			if got.Settled() != tt.settled || !tt.settled && got.Waiting() != tt.waiting {
				t.Errorf("waiting %v, settled %v: %+v", got.Waiting(), got.Settled(), got)
			}
		})
	}
}

// TestTurnsOfNoTLS: nothing is to be learned, at once.
func TestTurnsOfNoTLS(t *testing.T) {
	t.Parallel()
	var http, server Turns
	http.Up([]byte("GET / HTTP/1.1\r\n"))
	server.Down([]byte("220 mail.example ESMTP\r\n"))
	if !http.Settled() || !server.Settled() {
		t.Errorf("settled: %v, %v", http.Settled(), server.Settled())
	}
	var refused Turns
	refused.Down([]byte{21, 3, 1, 0, 2, 2, 40})
	if !refused.Settled() {
		t.Error("a refused hello is not the end of it")
	}
}

// tap shows a Turns what passes.
type tap struct {
	net.Conn
	t *Turns
}

func (c tap) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.t.Down(p[:n])
	return n, err
}

func (c tap) Write(p []byte) (int, error) {
	c.t.Up(p)
	return c.Conn.Write(p)
}

// TestTurnsOfCryptoTLS: a request that crypto/tls sends right after its
// Finished waits for its answer, whatever tickets come.
func TestTurnsOfCryptoTLS(t *testing.T) {
	t.Parallel()
	ca, err := certs.NewCA("Test root", certs.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Issue(certs.Leaf{Names: []string{"turns.test"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		near, far := net.Pipe()
		server := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{leaf}})
		go func() {
			defer far.Close()
			buf := make([]byte, 100)
			for {
				n, err := server.Read(buf)
				if err != nil {
					return
				}
				_, _ = server.Write(buf[:n])
			}
		}()
		var turns Turns
		client := tls.Client(tap{near, &turns}, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		buf := make([]byte, 100)
		for i := range 3 {
			if _, err := client.Write([]byte("request")); err != nil {
				t.Fatal(err)
			}
			if !turns.Settled() && !turns.Waiting() {
				t.Errorf("%s: the client waits for answer %d", tls.VersionName(version), i)
			}
			if _, err := client.Read(buf); err != nil {
				t.Fatal(err)
			}
		}
		if !turns.Settled() {
			t.Errorf("%s: not settled after three exchanges", tls.VersionName(version))
		}
		near.Close()
	}
}

func FuzzTurns(f *testing.F) {
	f.Add(inRecords([]byte{hs, ccs, app, app}), recordsOf(serverHello(VersionTLS12, 0x1301, VersionTLS13)), 3)
	f.Add([]byte{0x80, 2, 1, 3}, []byte{21, 3, 1, 0, 2, 2, 40}, 1)
	f.Fuzz(func(t *testing.T, up, down []byte, piece int) {
		var whole, split Turns
		whole.Up(up)
		whole.Down(down)
		piece = max(1, piece%100)
		for p := up; len(p) > 0; p = p[min(piece, len(p)):] {
			split.Up(p[:min(piece, len(p))])
		}
		for p := down; len(p) > 0; p = p[min(piece, len(p)):] {
			split.Down(p[:min(piece, len(p))])
		}
		if (len(up) < 2 || up[0]&0x80 == 0) && (whole.Settled() != split.Settled() || !whole.Settled() && whole.Waiting() != split.Waiting()) {
			t.Errorf("in one piece: %+v; in pieces of %d: %+v", whole, piece, split)
		}
	})
}
