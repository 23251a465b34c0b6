// Package redirect redirects the connections of a network namespace to tlslift with
// nftables rules. It writes them over netlink and needs no nft or iptables binary.
// It needs Linux 5.2 or later; elsewhere every call fails with ErrUnsupported.
//
// The rules are in their own table, "tlslift" in the inet family. Nothing else is
// changed, so removing that table undoes everything. front.OriginalDestination
// returns where a redirected connection was going.
package redirect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// TableName is the name of the table, which nft calls "inet tlslift".
const TableName = "tlslift"

// Errors that Apply, Remove and Status wrap.
var (
	// ErrUnsupported means that the system is not Linux, or its kernel lacks
	// nftables or nftables NAT.
	ErrUnsupported = errors.New("nftables redirection is not supported here")
	// ErrPermission means that CAP_NET_ADMIN is missing. The kernel requires it
	// even to read the rules.
	ErrPermission = errors.New("CAP_NET_ADMIN is needed")
	// ErrForeign means that a table named TableName has rules that Apply did not
	// write.
	ErrForeign = errors.New("the table " + TableName + " holds rules that are not tlslift's")
)

// Rules says which outgoing TCP connections of this machine are redirected:
// connections to Ports, at any address except the machine's own, from all users
// except ExceptUIDs.
type Rules struct {
	To         uint16   // the port on 127.0.0.1 and [::1] to redirect to
	Ports      []uint16 // destination ports; at least one
	ExceptUIDs []uint32 // users whose connections are not redirected: at least the proxy's own
	IPv4Only   bool     // do not redirect IPv6
}

// Validate returns an error if the rules cannot work.
func (r Rules) Validate() error {
	switch {
	case r.To == 0:
		return errors.New("redirect to port 0: give the port tlslift listens on")
	case len(r.Ports) == 0:
		return errors.New("redirect no port: give at least one")
	case slices.Contains(r.Ports, 0):
		return errors.New("redirect port 0: there is none")
	case len(r.ExceptUIDs) == 0:
		return errors.New("redirecting all users would send tlslift's own connections back to it: exempt its user")
	}
	return nil
}

// String describes the rules in one line.
func (r Rules) String() string {
	family := "IPv4 and IPv6"
	if r.IPv4Only {
		family = "IPv4"
	}
	return fmt.Sprintf("TCP %s (%s) to port %d, except user %s", join(r.Ports), family, r.To, join(r.ExceptUIDs))
}

func join[T uint16 | uint32](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, ", ")
}
