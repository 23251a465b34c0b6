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
