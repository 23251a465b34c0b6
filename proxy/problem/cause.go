package problem

// Cause is what is behind a Reason when its usual text would blame the wrong
// thing.
type Cause uint8

// The causes.
const (
	Usual         Cause = iota
	Hostless            // the request names no host, or the address of tlslift: its URL was meant as a base URL
	UnknownHost         // the request, in origin form, names a host that is no upstream: misspelt, or a name of tlslift
	OtherScheme         // the URL is neither http nor https
	ForeignHTTPS        // a host that is no upstream is asked for as https:// in absolute form, which only CONNECT can do
	BrokenChunks        // the chunks of the body are broken, not the head
	NoLength            // on HTTP/1.0, the body has no length
	NoProxyHeader       // a PROXY protocol header is missing or malformed
	ForeignName         // a host that is no upstream could not be resolved: the caller may have misspelled it
	OtherName           // a name could not be resolved that stands for the host: that of to or address
	ParentName          // the parent proxy's name could not be resolved
	PlainServer         // the server speaks plain HTTP where TLS is expected
	PlainParent         // so does the parent proxy
	ProxyHeader         // a PROXY protocol header came from an address that may send none
	SOCKS               // the caller takes tlslift for a SOCKS proxy
	Misnamed            // as Hostless, and the URL's path begins with a host that is no upstream
)

// text is what happened, and what to do about it, as in Answer.
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
			"Set it as the HTTP proxy of the client, with http:// and not socks:// where it is a URL."
	case UnknownHost:
		return "This proxy does not serve ^.",
			"Correct the name in the URL or in the hosts file, or ask the operator of tlslift to add it to its upstreams. If ^ is a name of tlslift itself, begin the path of the URL with the API host, as in /api.smsportal.com/api5/http5.aspx, or ask the operator to set default_upstream on this listener."
	case OtherScheme:
		return "This proxy serves http and https only.",
			"Correct the URL, or take tlslift out of the client's setting for that protocol, such as ftp_proxy."
	case ForeignHTTPS:
		return "This proxy encrypts no calls to ^ itself, which is not one of its upstreams.",
			"Use CONNECT, as most clients do for https with a proxy, or ask the operator of tlslift to add the host to its upstreams."
	case BrokenChunks:
		return whatChunks, adviceChunks
	case NoLength:
		return "The request may have a body, and does not give its length.", "Correct the client: send Content-Length, which HTTP/1.0 needs for each body."
	case NoProxyHeader:
		return "This connection must begin with a PROXY protocol header, and does not.",
			"The operator of tlslift has to turn on the PROXY protocol in the load balancer, or remove its address from proxy_protocol_from of this listener."
	case ForeignName:
		return "The name ^ could not be resolved.",
			"Check the spelling of the host; if it is right, the operator of tlslift has to look at its DNS."
	case OtherName:
		return "The name of the server that stands for ^ could not be resolved.",
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
		return "This connection begins with a PROXY protocol header, and its address may not send one.",
			"The operator of tlslift has to add the address of the load balancer to proxy_protocol_from of this listener, or turn off the PROXY protocol in the load balancer."
	default:
		return "", ""
	}
}
