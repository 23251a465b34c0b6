package problem

// Cause is what is behind a Reason whose usual text would blame the wrong thing.
type Cause uint8

// The causes.
const (
	Usual          Cause = iota
	Hostless             // the request names no host, or tlslift's address: its URL was meant as a base URL
	UnknownHost          // the request, in origin form, names a host that is not an upstream: misspelt, or a name of tlslift
	OtherScheme          // the URL is neither http nor https
	ForeignHTTPS         // https:// in absolute form for a host that is not an upstream, which only CONNECT can reach
	BrokenChunks         // the body's chunks are broken, not the head
	NoLength             // on HTTP/1.0, the body has no length
	NoProxyHeader        // a PROXY protocol header is missing or malformed
	ForeignName          // a host that is not an upstream could not be resolved: the caller may have misspelt it
	OtherName            // the name that to or address gives for the host could not be resolved
	ParentName           // the parent proxy's name could not be resolved
	PlainServer          // the server speaks plain HTTP, where TLS is expected
	PlainParent          // the same for the parent proxy
	ProxyHeader          // a PROXY protocol header came from an address that may not send one
	SOCKS                // the caller takes tlslift for a SOCKS proxy
	ForeignAddress       // a host that is not an upstream has an internal address
	Misnamed             // like Hostless, and the URL's path begins with a host that is not an upstream
)

// text returns what happened, and what to do about it, as in Answer.
func (c Cause) text() (what, advice string) {
	switch c {
	case Hostless:
		return "The request names no API host.",
			"Begin the path of the URL with the host, as in /api.smsportal.com/api5/http5.aspx, or ask the operator of tlslift to set default_upstream on this listener."
	case Misnamed:
		return "The request names no API host: ^, at the beginning of the path, is not an upstream of this proxy.",
			"Correct it, as in /api.smsportal.com/api5/http5.aspx, or ask the operator of tlslift to add it to its upstreams. If it is not meant as a host, the operator can set default_upstream on this listener."
	case SOCKS:
		return "The client speaks SOCKS, and this is an HTTP proxy.",
			"Set it as the HTTP proxy of the client, written with http:// and not socks:// if it is a URL."
	case UnknownHost:
		return "This proxy does not serve ^.",
			"Correct the name in the URL or in the hosts file, or ask the operator of tlslift to add it to its upstreams. If ^ is a name of tlslift itself, begin the path of the URL with the API host, as in /api.smsportal.com/api5/http5.aspx, or ask the operator to set default_upstream on this listener."
	case OtherScheme:
		return "This proxy serves http and https only.",
			"Correct the URL, or remove tlslift from the client's setting for that protocol, such as ftp_proxy."
	case ForeignHTTPS:
		return "This proxy does not encrypt calls to ^, because it is not one of its upstreams.",
			"Use CONNECT, as most clients do for https with a proxy, or ask the operator of tlslift to add the host to its upstreams."
	case BrokenChunks:
		return whatChunks, adviceChunks
	case NoLength:
		return "The request may have a body, but does not give its length.", "Correct the client: send Content-Length, which HTTP/1.0 needs for each body."
	case NoProxyHeader:
		return "This connection must begin with a PROXY protocol header, but does not.",
			"The operator of tlslift has to turn on the PROXY protocol in the load balancer, or remove its address from proxy_protocol_from of this listener."
	case ForeignName:
		return "The name ^ could not be resolved.",
			"Check the spelling of the host; if it is right, the operator of tlslift has to look at its DNS."
	case ForeignAddress:
		return "^ is an internal address, or leads to one, and this proxy does not connect callers on other machines to those.",
			"Exempt it from the client's proxy setting, as with no_proxy, or ask the operator of tlslift to set allow_internal_addresses."
	case OtherName:
		return "The name of the server that is used for ^ could not be resolved.",
			"The operator of tlslift has to correct the name in to or address of this upstream, or look at its DNS."
	case ParentName:
		return "The name of the parent proxy could not be resolved, so it opened no tunnel to ^.",
			"The operator of tlslift has to correct the name in upstream.parent_proxy, or look at its DNS."
	case PlainServer:
		return "The server that answers for ^ speaks plain HTTP, not TLS.",
			"The operator of tlslift has to correct address or port of this upstream, or look for a firewall that answers in place of the server."
	case PlainParent:
		return "The parent proxy speaks plain HTTP, not TLS, so it opened no tunnel to ^.",
			"The operator of tlslift has to begin upstream.parent_proxy with http in place of https."
	case ProxyHeader:
		return "This connection begins with a PROXY protocol header, but its address is not allowed to send one.",
			"The operator of tlslift has to add the address of the load balancer to proxy_protocol_from of this listener, or turn off the PROXY protocol in the load balancer."
	default:
		return "", ""
	}
}
