package call

// Source is where a client's name comes from. Its String is the value
// of the metrics label "identity_source".
type Source uint8

// The sources, in order of precedence.
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
	return [...]string{
		SourceListener: "listener", SourceProxyAuth: "proxy_auth", SourceProxyUser: "proxy_user",
		SourceWorkload: "workload", SourceName: "name", SourceAccount: "account", SourceAddress: "address",
	}[r]
}

// Identity is who is calling. Its Name is safe as a label value (printable, at most
// identity.MaxName bytes), and Source is where that name comes from. Configured means
// that the configuration knows the name: such names exist from the start and are
// always kept.
type Identity struct {
	Name       string
	Source     Source
	Configured bool
	Address    string // the address it called from; for IPv6 its /64
	Account    string // the request's API account, if that is looked for and another source named the client
	Unnamed    string // for an unchecked name: what the caller is called without it
}
