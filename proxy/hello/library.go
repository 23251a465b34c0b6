package hello

// Library is a guess at the TLS library that wrote a hello.
type Library struct {
	Name   string // e.g. "OpenSSL"; "" = unknown
	Era    string // versions and what they came with, e.g. "0.9.8 (2005-2015)"
	Advice string // one sentence: what to upgrade
}

func (l Library) String() string {
	switch {
	case l.Name == "":
		return "unknown"
	case l.Era == "":
		return l.Name
	default:
		return l.Name + " " + l.Era
	}
}

// Library guesses who wrote the hello.
func (h *ClientHello) Library() Library { return Library{} }
