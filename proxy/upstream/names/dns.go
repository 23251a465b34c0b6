package names

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"tlslift/proxy/contain"
	"tlslift/proxy/host"
)

const (
	askNext     = 400 * time.Millisecond // until the next server is asked too; doubles in each round
	maxUDP      = 1232                   // fits every path unfragmented (RFC 9715)
	familyDelay = 50 * time.Millisecond  // wait for the other family once one has answered (RFC 8305 section 3)
	maxAliases  = 10                     // CNAMEs followed within one answer
	maxRecords  = 64                     // addresses taken from one answer
)

var errLate = errors.New("one family of addresses is late")

// records is the answer to a query, or why there is none.
type records struct {
	addrs []netip.Addr
	ttl   time.Duration // also of an error
	err   error         // ErrNoAddress, or a failure
}

// query asks for both address families at once and joins their addresses.
func (r *Resolver) query(ctx context.Context, servers []string, name host.Name) records {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fqdn, err := dnsmessage.NewName(name.String() + ".")
	if err != nil {
		return records{ttl: minTTL, err: err}
	}
	results := make(chan records, 2)
	for _, family := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
		go func() {
			results <- r.contained(func() records {
				return r.askServers(ctx, servers, dnsmessage.Question{Name: fqdn, Type: family, Class: dnsmessage.ClassINET})
			})
		}()
	}
	first := <-results
	var late <-chan time.Time
	if first.err == nil {
		timer := time.NewTimer(familyDelay)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case second := <-results:
		return join(first, second)
	case <-late:
		return join(first, records{err: errLate})
	}
}

// join combines two answers. A family that failed, or is late, shortens how long the
// other is cached; one without addresses does not.
func join(a, b records) records {
	failed := func(r records) bool { return r.err != nil && !errors.Is(r.err, ErrNoAddress) }
	switch {
	case a.err != nil && b.err == nil:
		return join(b, a)
	case a.err == nil && failed(b):
		a.ttl = min(a.ttl, partialTTL)
		return a
	case a.err == nil && b.err != nil, failed(a):
		return a
	case failed(b):
		return b
	default:
		return records{addrs: sorted(append(a.addrs, b.addrs...)), ttl: min(a.ttl, b.ttl), err: a.err}
	}
}

// askServers asks the servers in turn until one answers, beginning with the one that
// answered last. It asks the next one when one fails or takes long, and accepts every
// answer until ctx ends. After the first round, it omits EDNS, which some servers do
// not understand (RFC 6891 section 6.2.2). Errors alone do not start a third round.
func (r *Resolver) askServers(ctx context.Context, servers []string, q dnsmessage.Question) records {
	type reply struct {
		turn int
		m    *dnsmessage.Message
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	returned := make(chan struct{})
	defer close(returned)
	replies := make(chan reply)
	good := int(r.good.Load())
	at := func(turn int) int { return (good + turn) % len(servers) }
	ask := func(turn int) {
		p := reply{turn: turn}
		p.err = contain.Do(r.Logger, "name resolution", func() (err error) {
			p.m, err = r.askServer(ctx, servers[at(turn)], q, turn < len(servers))
			return err
		})
		select {
		case replies <- p:
		case <-returned:
		}
	}
	late := time.NewTimer(askNext)
	defer late.Stop()
	turn, pending := 0, 0
	start := func() {
		if ctx.Err() == nil {
			go ask(turn)
			late.Reset(askNext << (turn / len(servers)))
			turn++
			pending++
		}
	}
	failed := make(inTurn, len(servers)) // the last error of each server
	for start(); pending > 0; {
		select {
		case p := <-replies:
			if p.err == nil {
				r.good.Store(int32(at(p.turn)))
				rec := extract(p.m, q)
				if rec.err != nil {
					rec.err = fmt.Errorf("DNS server %s: %w", servers[at(p.turn)], rec.err)
				}
				return rec
			}
			failed[p.turn%len(servers)] = p.err
			pending--
			if turn < 2*len(servers) {
				start()
			}
		case <-late.C:
			start()
		}
	}
	if turn == 0 {
		return records{ttl: minTTL, err: silent(servers...)}
	}
	return records{ttl: minTTL, err: failed[:min(turn, len(servers))]}
}

// askServer asks one server over UDP, and over TCP if the answer was truncated.
func (r *Resolver) askServer(ctx context.Context, server string, q dnsmessage.Question, edns bool) (*dnsmessage.Message, error) {
	m, err := r.exchange(ctx, "udp", server, q, edns)
	if err == nil && m.Truncated {
		m, err = r.exchange(ctx, "tcp", server, q, edns)
	}
	switch {
	case err != nil && (ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded)):
		return nil, silent(server)
	case err != nil:
		return nil, fmt.Errorf("ask DNS server %s: %w", server, err)
	case m.RCode != dnsmessage.RCodeSuccess && m.RCode != dnsmessage.RCodeNameError:
		return nil, fmt.Errorf("DNS server %s answered %s", server, strings.TrimPrefix(m.RCode.String(), "RCode"))
	}
	return m, nil
}

// silent returns the error for servers that did not answer, however the time ran out.
func silent(servers ...string) error {
	if len(servers) == 0 { // only the system knows them
		return errors.New("no answer from DNS in time")
	}
	return fmt.Errorf("no answer from DNS server %s in time", strings.Join(servers, ", "))
}

// exchange sends one question and reads until its answer comes. It ignores other
// packets, which may be forged.
func (r *Resolver) exchange(ctx context.Context, network, server string, q dnsmessage.Question, edns bool) (*dnsmessage.Message, error) {
	id := uint16(rand.Uint32())
	packet, err := pack(id, q, edns)
	if err != nil {
		return nil, err
	}
	c, err := r.Dial(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	read := readPacket
	if network == "tcp" {
		packet = append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
		read = readFramed
	}
	if _, err := c.Write(packet); err != nil {
		return nil, err
	}
	for {
		b, err := read(c)
		if err != nil {
			return nil, err
		}
		m := new(dnsmessage.Message)
		if m.Unpack(b) == nil && m.Response && m.ID == id && len(m.Questions) == 1 && sameQuestion(m.Questions[0], q) {
			return m, nil
		}
	}
}

func pack(id uint16, q dnsmessage.Question, edns bool) ([]byte, error) {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{q},
	}
	if edns {
		opt := dnsmessage.Resource{Body: new(dnsmessage.OPTResource)}
		if err := opt.Header.SetEDNS0(maxUDP, dnsmessage.RCodeSuccess, false); err != nil {
			return nil, err
		}
		m.Additionals = []dnsmessage.Resource{opt}
	}
	return m.Pack()
}

func readPacket(c net.Conn) ([]byte, error) {
	b := make([]byte, maxUDP)
	n, err := c.Read(b)
	return b[:n], err
}

// readFramed reads a message that follows its length (RFC 1035 section 4.2.2).
func readFramed(c net.Conn) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(c, b)
	return b, err
}

func sameQuestion(a, b dnsmessage.Question) bool {
	return a.Type == b.Type && a.Class == b.Class && sameName(a.Name, b.Name)
}

func sameName(a, b dnsmessage.Name) bool { return strings.EqualFold(a.String(), b.String()) }

// extract follows the aliases within an answer to the addresses. Recursive servers
// send all of them in one answer.
func extract(m *dnsmessage.Message, q dnsmessage.Question) records {
	at, ttl := q.Name, uint32(maxTTL/time.Second)
	for range maxAliases {
		var alias *dnsmessage.Name
		var addrs []netip.Addr
		for _, rr := range m.Answers {
			if !sameName(rr.Header.Name, at) || rr.Header.Class != dnsmessage.ClassINET {
				continue
			}
			switch body := rr.Body.(type) {
			case *dnsmessage.CNAMEResource:
				alias = &body.CNAME
			case *dnsmessage.AResource:
				addrs = append(addrs, netip.AddrFrom4(body.A))
			case *dnsmessage.AAAAResource:
				addrs = append(addrs, netip.AddrFrom16(body.AAAA).Unmap())
			default:
				continue
			}
			ttl = min(ttl, rr.Header.TTL)
		}
		if len(addrs) > 0 {
			return records{addrs: addrs[:min(len(addrs), maxRecords)], ttl: clamp(ttl, maxTTL)}
		}
		if alias == nil {
			break
		}
		at = *alias
	}
	return records{ttl: negativeTTL(m), err: ErrNoAddress}
}

// negativeTTL returns how long the absence of a record is cached (RFC 2308 section
// 5).
func negativeTTL(m *dnsmessage.Message) time.Duration {
	for _, rr := range m.Authorities {
		if soa, ok := rr.Body.(*dnsmessage.SOAResource); ok {
			return clamp(min(soa.MinTTL, rr.Header.TTL), maxNegative)
		}
	}
	return minTTL
}

func clamp(seconds uint32, most time.Duration) time.Duration {
	return min(max(time.Duration(seconds)*time.Second, minTTL), most)
}
