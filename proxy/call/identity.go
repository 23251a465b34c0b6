package call

// Source is where a client's name comes from. Its String is the value
// of the metrics label "identity_source".
type Source uint8

// The sources, first match wins.
const (
	SourceListener  Source = iota // the listener belongs to one client
	SourceProxyAuth               // proxy credentials, checked
	SourceProxyUser               // the user part of the proxy URL, unchecked
	SourceWorkload                // everything on this instance is one client
	SourceName                    // a configured name for the address
	SourceAccount                 // the API account, unchecked by us
	SourceAddress                 // the source address
)

// Sources lists every source, in the order they are tried.
var Sources = [...]Source{SourceListener, SourceProxyAuth, SourceProxyUser, SourceWorkload, SourceName, SourceAccount, SourceAddress}

func (r Source) String() string {
	switch r {
	case SourceListener:
		return "listener"
	case SourceProxyAuth:
		return "proxy_auth"
	case SourceProxyUser:
		return "proxy_user"
	case SourceWorkload:
		return "workload"
	case SourceName:
		return "name"
	case SourceAccount:
		return "account"
	default:
		return "address"
	}
}

// Identity is the answer: a name that is safe as a label value (printable, at
// most identity.MaxName bytes), the source of that name, and whether the name is one that
// the configuration knows (those are always kept and pre-created).
type Identity struct {
	Name       string
	Source     Source
	Configured bool
	Address    string // that it called from; in IPv6 its /64
	Account    string // the API account of the request, if it is looked for and another source named the client
	Unnamed    string // of an unchecked name: the client that the caller is without it
}
