package harness

import (
	"strings"
	"testing"

	"tlslift/test/nameserver"
)

// DNS is a name server that knows what it is told and says NXDOMAIN to all
// else.
type DNS struct{ addr string }

// StartDNS answers A and AAAA questions from a map of names to addresses.
func StartDNS(t testing.TB, names map[string][]string) *DNS {
	t.Helper()
	var zone []string
	for name, addresses := range names {
		for _, a := range addresses {
			kind := "A"
			if strings.Contains(a, ":") {
				kind = "AAAA"
			}
			zone = append(zone, name+" 60 "+kind+" "+a)
		}
	}
	return &DNS{nameserver.New(t, zone...).Listen(t)}
}

// Addr is the server's host:port.
func (d *DNS) Addr() string { return d.addr }
