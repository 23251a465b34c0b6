package call

// Ingress is the way a request came in (design, section 1). Its String is the
// value of the metrics label and the log field "ingress".
type Ingress uint8

// The ways in. Unknown is the zero value, until the first request.
const (
	Unknown     Ingress = iota
	Forward             // absolute-form target: HTTP_PROXY (RFC 9112 3.2.2)
	Gateway             // origin-form target and Host: hosts file, DNS override
	Connect             // inside a CONNECT tunnel (RFC 9110 9.3.6)
	TLS                 // a connection that begins with a ClientHello
	Transparent         // redirected by the kernel
)

// Ingresses lists every way in that has a label value.
var Ingresses = [...]Ingress{Forward, Gateway, Connect, TLS, Transparent}

// CarriesCredentials reports whether a way in can carry proxy credentials. Only a
// client that knows that it uses a proxy sends Proxy-Authorization.
func (i Ingress) CarriesCredentials() bool { return i == Forward || i == Connect }

// IngressSet is a set of ways in. The zero IngressSet is empty.
type IngressSet uint8

// Ways returns the set of the given ways in.
func Ways(in ...Ingress) (s IngressSet) {
	for _, i := range in {
		s |= 1 << i
	}
	return s
}

// Has reports whether i is in the set.
func (s IngressSet) Has(i Ingress) bool { return s&(1<<i) != 0 }

func (i Ingress) String() string {
	return [...]string{Unknown: "unknown", Forward: "forward", Gateway: "gateway", Connect: "connect", TLS: "tls", Transparent: "transparent"}[i]
}
