package ledger

import "tlslift/metrics/figures"

// Headline says where a migration stands.
type Headline struct {
	Text   string
	Detail string
	Done   bool // every client that was seen is migrated
}

// Headline returns the headline for the clients that the summary counts.
func (s *Summary) Headline() Headline {
	switch {
	case s.NeedsTlslift > 0:
		return s.needed()
	case s.Failing > 0:
		return s.failing()
	case s.called() == 0:
		return s.nobodyCalled()
	}
	if quiet := s.States[Silent.String()] + s.States[Unseen.String()]; quiet > 0 {
		return Headline{
			Text: "Nothing that was seen lately needs tlslift",
			Detail: "But " + figures.Plural(quiet, "client is", "clients are") +
				" silent or never seen: that is not the same as migrated. Ask the owners, then declare them.",
		}
	}
	watched := s.Generated.Sub(s.FirstSeen)
	if watched < s.migratedAfter() {
		return Headline{
			Text: "Nothing seen so far needs tlslift",
			Detail: "tlslift has watched for " + figures.Span(watched) + ". A client counts as migrated for certain after " +
				figures.Length(s.migratedAfter()) + " without an insecure call.",
		}
	}
	return Headline{Text: "Every client that was seen is migrated", Detail: "Before you remove tlslift, see Remove tlslift in docs/migrating.md.", Done: true}
}

// Share says how many of the active clients make insecure calls, whether some
// (mixed) or all (insecure).
func (s *Summary) Share() string {
	verb := " still call"
	if s.Insecure == 1 || s.Active == 1 {
		verb = " still calls"
	}
	return figures.Count(s.Insecure) + " of " + figures.Plural(s.Active, "active client", "active clients") + verb + " insecurely"
}

func (s *Summary) needed() Headline {
	h := Headline{
		Text:   figures.Plural(s.NeedsTlslift, "client still needs tlslift", "clients still need tlslift"),
		Detail: s.Share() + ".",
	}
	if n := s.Failing - s.Suspected; n > 0 {
		h.Detail += " " + figures.Plural(n, "client cannot call: its TLS handshakes fail.", "clients cannot call: their TLS handshakes fail.")
	}
	h.Detail += s.suspected()
	return h
}

// suspected returns the sentence about clients that may be unable to call, or "".
func (s *Summary) suspected() string {
	if s.Suspected == 0 {
		return ""
	}
	return " " + figures.Plural(s.Suspected, "client may be unable to call: it leaves after each TLS handshake.",
		"clients may be unable to call: they leave after each TLS handshake.")
}

func (s *Summary) failing() Headline {
	n := s.Failing - s.Suspected
	switch {
	case s.called() == 0 && n == 0:
		return Headline{
			Text: "No client has made a call yet",
			Detail: figures.Plural(s.Suspected, "client leaves after each TLS handshake: see the table.",
				"clients leave after each TLS handshake: see the table."),
		}
	case s.called() == 0:
		return Headline{
			Text: "No client has made a call yet",
			Detail: figures.Plural(n, "client connects, but its TLS handshakes fail: see the table.",
				"clients connect, but their TLS handshakes fail: see the table."),
		}
	case n == 0:
		return Headline{
			Text:   figures.Plural(s.Suspected, "client may be unable to call", "clients may be unable to call"),
			Detail: "Health checks leave after a TLS handshake, and so do clients that do not trust the certificate.",
		}
	}
	h := Headline{
		Text:   figures.Plural(n, "client cannot call", "clients cannot call"),
		Detail: "Its TLS handshakes fail, so none of its calls arrives.",
	}
	if n > 1 {
		h.Detail = "Their TLS handshakes fail, so none of their calls arrives."
	}
	h.Detail += s.suspected()
	return h
}

func (s *Summary) nobodyCalled() Headline {
	h := Headline{Text: "No client has made a call yet", Detail: "Point an application at tlslift and it shows up here."}
	switch {
	case s.Clients == 1:
		h.Detail = "1 client is named in the configuration, and it has not called."
	case s.Clients > 1:
		h.Detail = figures.Count(s.Clients) + " clients are named in the configuration, and none has called."
	case s.States[NoCalls.String()] == 0:
		h.Text = "No client has been seen yet"
	}
	return h
}

// called returns the number of clients that have ever made a call.
func (s *Summary) called() int { return s.Clients - s.States[Unseen.String()] }
