package problem

import (
	"cmp"
	"strings"
)

const (
	hostMark  = "^"
	someHost  = "the API host"
	maybeSent = "It may have been sent: check before sending again."
	notSent   = "Nothing was sent."
)

// message returns the whole text for a person. It ends with the words to search the
// log for: an application usually logs the text of an error, but neither status nor
// headers.
func (p *Problem) message() string {
	a, became, id := p.answer(), notSent, p.RequestID
	if a.Delivery == Unknown {
		became = maybeSent
	}
	if id != "" {
		id = ", request " + id
	}
	return p.text(a.what) + " " + became + " " + p.text(a.advice) + " [tlslift: " + p.word() + ", " + a.Delivery.String() + id + "]"
}

// text returns a sentence with the host filled in.
func (p *Problem) text(sentence string) string {
	return strings.ReplaceAll(sentence, hostMark, cmp.Or(p.Host.String(), someHost))
}
