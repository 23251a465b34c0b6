// Package nameserver is a DNS server for tests, on loopback or in memory.
package nameserver

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Fault replaces an answer. It returns the bytes to send, or nil for silence.
// normal is the answer without the fault.
type Fault func(query dnsmessage.Message, normal []byte) []byte

// Server answers questions from a zone. The zero value knows no names.
type Server struct {
	mu    sync.Mutex
	zone  []dnsmessage.Resource
	fault Fault
	asked []string
}

// New makes a server from lines of "name TTL type value". Types are A, AAAA,
// CNAME and SOA; the value of an SOA is the TTL of negative answers. A name is
// relative to the root: "a.test".
func New(t testing.TB, zone ...string) *Server {
	t.Helper()
	s := new(Server)
	s.SetZone(t, zone...)
	return s
}

// SetZone replaces the zone.
func (s *Server) SetZone(t testing.TB, zone ...string) {
	t.Helper()
	var all []dnsmessage.Resource
	for _, line := range zone {
		r, err := record(strings.Fields(line))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zone = all
}

func record(fields []string) (r dnsmessage.Resource, err error) {
	if len(fields) != 4 {
		return r, fmt.Errorf("%d fields", len(fields))
	}
	ttl, err := strconv.ParseUint(fields[1], 10, 32)
	if err != nil {
		return r, err
	}
	if r.Header.Name, err = dnsmessage.NewName(fields[0] + "."); err != nil {
		return r, err
	}
	r.Header.Class, r.Header.TTL = dnsmessage.ClassINET, uint32(ttl)
	switch value := fields[3]; fields[2] {
	case "A", "AAAA":
		addr, err := netip.ParseAddr(value)
		if err != nil {
			return r, err
		}
		if fields[2] == "A" {
			r.Body = &dnsmessage.AResource{A: addr.As4()}
		} else {
			r.Body = &dnsmessage.AAAAResource{AAAA: addr.As16()}
		}
	case "CNAME":
		target, err := dnsmessage.NewName(value + ".")
		r.Body = &dnsmessage.CNAMEResource{CNAME: target}
		return r, err
	case "SOA":
		least, err := strconv.ParseUint(value, 10, 32)
		r.Body = &dnsmessage.SOAResource{NS: r.Header.Name, MBox: r.Header.Name, MinTTL: uint32(least)}
		return r, err
	default:
		return r, fmt.Errorf("type %s", fields[2])
	}
	return r, nil
}

// Set makes the server answer with the fault; nil ends that.
func (s *Server) Set(fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Asked lists the questions so far, each "name type".
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Fail is a Fault that answers with a code.
func Fail(code dnsmessage.RCode) Fault {
	return func(q dnsmessage.Message, _ []byte) []byte {
		m := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, RCode: code}, Questions: q.Questions}
		b, _ := m.Pack()
		return b
	}
}

// Silence is a Fault that answers nothing.
func Silence(dnsmessage.Message, []byte) []byte { return nil }

// maxRecordsUDP is how many records the server puts into a UDP answer.
const maxRecordsUDP = 20

// answer returns the answer to a packet, nil for none.
func (s *Server) answer(packet []byte, udp bool) []byte {
	var q dnsmessage.Message
	if q.Unpack(packet) != nil || len(q.Questions) != 1 {
		return nil
	}
	asked := q.Questions[0]
	kind := strings.TrimPrefix(asked.Type.String(), "Type")
	s.mu.Lock()
	s.asked = append(s.asked, strings.TrimSuffix(asked.Name.String(), ".")+" "+kind)
	fault, zone := s.fault, s.zone
	s.mu.Unlock()
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, RecursionAvailable: true}, Questions: q.Questions}
	fill(&m, zone)
	if udp && len(m.Answers) > maxRecordsUDP {
		m.Answers, m.Truncated = nil, true
	}
	b, _ := m.Pack()
	if fault != nil {
		return fault(q, b)
	}
	return b
}

// fill adds the zone's records for the question: those of its name and, behind
// an alias, of the alias' targets. The name's SOA comes with an empty answer.
func fill(m *dnsmessage.Message, zone []dnsmessage.Resource) {
	want, known := m.Questions[0], false
	names := []string{strings.ToLower(want.Name.String())}
	for i := 0; i < len(names) && i < 30; i++ {
		for _, r := range zone {
			if strings.ToLower(r.Header.Name.String()) != names[i] {
				continue
			}
			known = true
			switch body := r.Body.(type) {
			case *dnsmessage.CNAMEResource:
				names = append(names, strings.ToLower(body.CNAME.String()))
				m.Answers = append(m.Answers, r)
			case *dnsmessage.SOAResource:
				m.Authorities = append(m.Authorities, r)
			case *dnsmessage.AResource:
				if want.Type == dnsmessage.TypeA {
					m.Answers = append(m.Answers, r)
				}
			case *dnsmessage.AAAAResource:
				if want.Type == dnsmessage.TypeAAAA {
					m.Answers = append(m.Answers, r)
				}
			}
		}
	}
	if !known {
		m.RCode = dnsmessage.RCodeNameError
	}
	if len(m.Answers) > 0 {
		m.Authorities = nil
	}
}

// Dial connects to the server in memory, whatever the address. It is the Dial
// of a resolver.
func (s *Server) Dial(_ context.Context, network, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	go func() {
		defer func() { _ = far.Close() }()
		if network == "udp" {
			s.servePackets(far)
		} else {
			s.serveStream(far)
		}
	}()
	return near, nil
}

func (s *Server) servePackets(c net.Conn) {
	b := make([]byte, 4096)
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		if reply := s.answer(b[:n], true); reply != nil {
			if _, err := c.Write(reply); err != nil {
				return
			}
		}
	}
}

func (s *Server) serveStream(c net.Conn) {
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		b := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		if reply := s.answer(b, false); reply != nil {
			if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
				return
			}
		}
	}
}

// Listen serves on a loopback port until the test ends, over UDP and TCP, and
// returns its address.
func (s *Server) Listen(t testing.TB) string {
	t.Helper()
	var l net.Listener
	var pc net.PacketConn
	for try := 0; pc == nil; try++ {
		var err error
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if pc, err = net.ListenPacket("udp", l.Addr().String()); err != nil {
			_ = l.Close()
			if try == 20 {
				t.Fatal("no port is free for both: ", err)
			}
		}
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); _ = pc.Close(); wg.Wait() })
	wg.Go(func() {
		b := make([]byte, 4096)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			if reply := s.answer(b[:n], true); reply != nil {
				_, _ = pc.WriteTo(reply, from)
			}
		}
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer func() { _ = c.Close() }(); s.serveStream(c) }()
		}
	})
	return l.Addr().String()
}
