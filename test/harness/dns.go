package harness

import (
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// DNS is a name server that knows what it is told and says NXDOMAIN to all
// else.
type DNS struct {
	packets net.PacketConn
}

// StartDNS answers A and AAAA questions from a map of names to addresses.
func StartDNS(t testing.TB, names map[string][]string) *DNS {
	t.Helper()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	server := &dns.Server{PacketConn: packets, Handler: answers(names), NotifyStartedFunc: func() { close(started) }}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.ActivateAndServe()
	}()
	<-started
	t.Cleanup(func() {
		_ = server.Shutdown()
		<-ended
	})
	return &DNS{packets}
}

// Addr is the server's host:port.
func (d *DNS) Addr() string { return d.packets.LocalAddr().String() }

func answers(names map[string][]string) dns.HandlerFunc {
	return func(w dns.ResponseWriter, question *dns.Msg) {
		reply := new(dns.Msg)
		reply.SetReply(question)
		asked := question.Question[0]
		addresses, known := names[strings.ToLower(strings.TrimSuffix(asked.Name, "."))]
		if !known {
			reply.Rcode = dns.RcodeNameError
		}
		for _, text := range addresses {
			ip := net.ParseIP(text)
			header := dns.RR_Header{Name: asked.Name, Rrtype: asked.Qtype, Class: dns.ClassINET, Ttl: 60}
			v6 := strings.Contains(text, ":")
			switch {
			case asked.Qtype == dns.TypeA && !v6:
				reply.Answer = append(reply.Answer, &dns.A{Hdr: header, A: ip})
			case asked.Qtype == dns.TypeAAAA && v6:
				reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: header, AAAA: ip})
			}
		}
		_ = w.WriteMsg(reply)
	}
}
