package call

// Rung is the step of the ladder that named a client. Its String is the value
// of the metrics label "identity_source".
type Rung uint8

// The rungs, first match wins.
const (
	RungListener  Rung = iota // the listener belongs to one client
	RungProxyAuth             // proxy credentials, checked
	RungProxyUser             // the user part of the proxy URL, unchecked
	RungWorkload              // everything on this instance is one client
	RungName                  // a configured name for the address
	RungAccount               // the API account, unchecked by us
	RungAddress               // the source address
)

// Rungs lists every rung, highest first.
var Rungs = [...]Rung{RungListener, RungProxyAuth, RungProxyUser, RungWorkload, RungName, RungAccount, RungAddress}

func (r Rung) String() string {
	switch r {
	case RungListener:
		return "listener"
	case RungProxyAuth:
		return "proxy_auth"
	case RungProxyUser:
		return "proxy_user"
	case RungWorkload:
		return "workload"
	case RungName:
		return "name"
	case RungAccount:
		return "account"
	default:
		return "address"
	}
}

// Identity is the answer: a name that is safe as a label value (printable, at
// most identity.MaxName bytes), the rung it came from, and whether the name is one that
// the configuration knows (those are always kept and pre-created).
type Identity struct {
	Name       string
	Rung       Rung
	Configured bool
	Address    string // that it called from; in IPv6 its /64
	Account    string // the API account of the request, if it is looked for and another rung named the client
	Home       string // of a name that nobody checks: the client that the caller is without it
}
