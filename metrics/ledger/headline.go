package ledger

import "tlslift/metrics/figures"

// Headline says where a migration stands.
type Headline struct {
	Text   string
	Detail string
	Done   bool // nothing that was seen needs tlslift
}

// Headline says it of the clients that the summary counts.
func (s *Summary) Headline() Headline {
	verb := " are"
	if s.Insecure == 1 {
		verb = " is"
	}
	quiet := s.States[Silent.String()] + s.States[Unseen.String()]
	switch {
	case s.Clients == 0:
		return Headline{Text: "No client has been seen yet", Detail: "Point an application at tlslift and it shows up here."}
	case s.NeedsTlslift > 0:
		return Headline{
			Text:   figures.Plural(s.NeedsTlslift, "client still needs tlslift", "clients still need tlslift"),
			Detail: figures.Count(s.Insecure) + " of " + figures.Plural(s.Active, "active client", "active clients") + verb + " insecure.",
		}
	case quiet > 0:
		return Headline{
			Text: "Nothing that was seen lately needs tlslift",
			Detail: "But " + figures.Plural(quiet, "client is", "clients are") +
				" silent or never seen: that is not the same as migrated. Ask the owners, then declare them.",
		}
	}
	return Headline{Text: "Nobody needs tlslift any more", Detail: "Every client is migrated. It can be taken away.", Done: true}
}
