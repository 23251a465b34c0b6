package problem

const (
	hostMark  = '^'
	someHost  = "the API host"
	maybeSent = "It may have been sent: check before sending again."
	notSent   = "Nothing was sent."
)

// message is the whole text for a person. It ends with the words to search the log
// for: people find it where their application logs the error it
// was given, and most log neither status nor headers.
func (p *Problem) message() string {
	a := p.answer()
	b := p.appendText(make([]byte, 0, 512), a.what)
	b = append(b, ' ')
	if a.Delivery == Unknown {
		b = append(b, maybeSent...)
	} else {
		b = append(b, notSent...)
	}
	b = p.appendText(append(b, ' '), a.advice)
	b = append(b, " [tlslift: "...)
	b = append(b, p.word()...)
	b = append(append(b, ", "...), p.delivery().String()...)
	if id := cleanID(p.RequestID); id != "" {
		b = append(append(b, ", request "...), id...)
	}
	return string(append(b, ']'))
}

// appendText appends a sentence, the host put in.
func (p *Problem) appendText(dst []byte, text string) []byte {
	for i := range len(text) {
		if text[i] != hostMark {
			dst = append(dst, text[i])
		} else if !p.Host.IsZero() {
			dst = append(dst, p.Host.String()...)
		} else {
			dst = append(dst, someHost...)
		}
	}
	return dst
}
