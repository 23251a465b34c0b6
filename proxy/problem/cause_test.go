package problem

import (
	"strings"
	"testing"

	"tlslift/proxy/host"
)

// A host that is no upstream may not exist: DNS is not the first thing to blame.
func TestForeignNameAsksForTheSpellingFirst(t *testing.T) {
	t.Parallel()
	p := Problem{Reason: DNS, Delivery: NotSent, Host: host.MustParse("api.smsportall.com"), Cause: ForeignName}
	_, _, body := p.Render(Text)
	want := "The name api.smsportall.com could not be resolved. Nothing was sent. Check the spelling of the host; if it is right, the operator of tlslift has to look at its DNS."
	if !strings.HasPrefix(string(body), want) {
		t.Errorf("got %s", body)
	}
}

// A cause takes the place of the usual text, with what became of the message.
func TestCausesTakeThePlaceOfTheUsualText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p    Problem
		want string
	}{
		{Problem{Reason: Malformed, Delivery: NotSent, Cause: BrokenChunks}, "The chunks of the request body are broken. Nothing was sent. Correct the client: each chunk begins"},
		{Problem{Reason: Malformed, Delivery: Unknown, Cause: BrokenChunks}, "The chunks of the request body are broken. It may have been sent: check before sending again. Correct the client: each chunk begins"},
		{Problem{Reason: Malformed, Cause: NoLength}, "The request may have a body, but does not give its length. Nothing was sent. Correct the client: send Content-Length,"},
		{Problem{Reason: Malformed, Cause: OtherScheme}, "This proxy serves http and https only. Nothing was sent. Correct the URL,"},
		{Problem{Reason: Host, Host: host.MustParse("www.example.com"), Cause: ForeignHTTPS}, "This proxy does not encrypt calls to www.example.com, because it is not one of its upstreams. Nothing was sent. Use CONNECT,"},
		{Problem{Reason: Malformed, Cause: Hostless}, "The request names no API host. Nothing was sent. Begin the path of the URL"},
		{Problem{Reason: ParentProxy, Host: host.MustParse("api.smsportal.com"), Cause: ParentName}, "The name of the parent proxy could not be resolved, so it opened no tunnel to api.smsportal.com. Nothing was sent. The operator of tlslift has to correct the name in upstream.parent_proxy, or look at its DNS."},
		{Problem{Reason: Loop, Host: host.MustParse("api.smsportl.com"), Cause: Misnamed}, "The request names no API host: api.smsportl.com, at the beginning of the path, is not an upstream of this proxy. Nothing was sent. Correct it,"},
		{Problem{Reason: InternalAddress, Host: host.MustParse("10.77.0.2"), Cause: ForeignAddress}, "10.77.0.2 is an internal address, or leads to one, and this proxy does not connect callers on other machines to those. Nothing was sent. Exempt it"},
		{Problem{Reason: Host, Host: host.MustParse("api.smsportal.co"), Cause: UnknownHost}, "This proxy does not serve api.smsportal.co. Nothing was sent. Correct the name in the URL or in the hosts file,"},
	} {
		if _, _, body := c.p.Render(Text); !strings.HasPrefix(string(body), c.want) {
			t.Errorf("got %s, want %s", body, c.want)
		}
	}
}

// Most loops are for the operator to end. One that a caller's URL makes is the
// caller's fault, as its text says.
func TestFaultCodeOfALoop(t *testing.T) {
	t.Parallel()
	for cause, want := range map[Cause][2]string{
		Usual:    {"soap:Server", "soap:Receiver"},
		Hostless: {"soap:Client", "soap:Sender"},
		Misnamed: {"soap:Client", "soap:Sender"},
	} {
		p := Problem{Reason: Loop, Delivery: NotSent, Host: host.MustParse("api.smsportl.com"), Cause: cause}
		for i, d := range []Dialect{SOAP11, SOAP12} {
			if _, _, body := p.Render(d); !strings.Contains(string(body), ">"+want[i]+"<") {
				t.Errorf("cause %d, %v: %s", cause, d, body)
			}
		}
	}
}
