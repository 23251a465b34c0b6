// Package redirect turns the connections of a network namespace to tlslift,
// with nftables rules that it writes by netlink: no nft or iptables binary is
// needed. Linux 5.2 or later; elsewhere every call fails with ErrUnsupported.
//
// The rules are one table of its own, "tlslift" in the inet family. Nothing
// else is touched, and removing that table undoes everything. What was redirected
// can be asked where it was going (front.OriginalDestination).
package redirect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// TableName is the name of the table, in nft's words "inet tlslift".
const TableName = "tlslift"

// Errors that are wrapped by those of Apply, Remove and Status.
var (
	// ErrUnsupported: not Linux, or a kernel without nftables or its NAT.
	ErrUnsupported = errors.New("nftables redirection is not supported here")
	// ErrPermission: CAP_NET_ADMIN is missing. The kernel needs it even for reading.
	ErrPermission = errors.New("CAP_NET_ADMIN is needed")
	// ErrForeign: there is a table of our name with rules that Apply did not
	// write.
	ErrForeign = errors.New("the table " + TableName + " holds rules that are not tlslift's")
)

// Rules say which of the locally made TCP connections are redirected: those to
// Ports, to any address but the machine's own, by all users except ExceptUIDs.
type Rules struct {
	To         uint16   // the port on 127.0.0.1 and [::1] that they are redirected to
	Ports      []uint16 // destination ports; at least one
	ExceptUIDs []uint32 // users whose connections are left alone: the proxy's own
	IPv4Only   bool     // leave IPv6 alone
}

// Validate reports rules that cannot work.
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

// String tells the rules in one line.
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
