package page

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"tlslift/docs/fixes"
	"tlslift/metrics/figures"
	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
)

// siteOf returns the address of these pages as the caller asked for them, through
// a reverse proxy that terminates TLS too. It returns "" if no other machine can
// open it.
func siteOf(r *http.Request) string {
	host := (&url.URL{Host: r.Host}).Hostname()
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() || strings.EqualFold(host, "localhost") {
		return ""
	}
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" { // nothing but the text of links depends on it
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// terms are the terms of the migration.
type terms struct {
	target        time.Time                // policy.target; zero = none
	migratedAfter time.Duration            // policy.migrated_after
	to            func(host string) string // as in Options.To
}

// message returns the plain text to send to the owner of a client: what was seen,
// what to change and, unless site is "", where to read more. It returns "" if
// nobody has to do anything about the client.
func message(r *ledger.Row, of terms, now time.Time, site string) string {
	opening := openingOf(r, of.migratedAfter, now)
	if opening == "" || r.Client == call.LabelOverflow {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nWhat tlslift saw, up to %s:\n", opening, figures.Clock(now))
	item := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "- %s: %s\n", name, oneLine(value))
		}
	}
	item("Name", r.Client)
	item("Known by", knownBy(r))
	item("State", worded(stateOf(r, now, of.migratedAfter), r.State.String()))
	item("Verdict", worded(verdictOf(r), r.Verdict.String()))
	item("First seen", figures.Clock(r.FirstSeen))
	item("Last insecure call", figures.Clock(r.LastInsecure))
	item("Last secure call", figures.Clock(r.LastSecure))
	if r.RequestsPerDay > 0 {
		item("Requests a day", r.RequestsADay())
	} else if r.ConnectionsPerDay > 0 {
		item("Connections a day", figures.Short(r.ConnectionsPerDay))
	}
	if r.Failing {
		what := "TLS handshakes that failed"
		if r.Suspected {
			what = "TLS handshakes without a call"
		}
		item(what, counted(r)+"; last at "+figures.Clock(r.LastFailed))
	}
	if len(r.Refused) > 0 {
		item("Calls refused by tlslift", inWords(r.Refused, refusalTexts)+"; last at "+figures.Clock(r.LastRefused))
	}
	var hosts []string
	for _, h := range r.Hosts {
		hosts = append(hosts, h.Host)
	}
	item("Hosts", strings.Join(hosts, ", "))
	item(runtimeLabel(r), r.Runtime())
	for _, e := range r.Exposed {
		over := "over old TLS"
		if e.Over == "clear" {
			over = "in clear"
		}
		item("Secret sent "+over, fmt.Sprintf("%s, %s, last %s. Change it afterwards.", secretTexts[e.Kind], times(e.Count), figures.Clock(e.Last)))
	}
	if r.AllRefused {
		b.WriteString("\nAsk the operator of tlslift today why its calls are refused: the log says why.\n")
	}
	if r.SeveralPrograms {
		fmt.Fprintf(&b, "\n%s.\n", severalPrograms(r, site))
	}
	if change := r.Change(); change != "" {
		what := strings.TrimSpace("What to change " + forWhich(r))
		fmt.Fprintf(&b, "\n%s: %s\n", oneLine(what), oneLine(change))
		for _, name := range r.FixPages {
			if site == "" {
				break
			}
			fmt.Fprintf(&b, "How: %s/fixes/%s\n", site, name)
		}
		if r.Verdict == ledger.DistrustsCA {
			root := "ask the operator of tlslift for root.pem."
			if site != "" {
				root = site + "/ca.pem"
			}
			fmt.Fprintf(&b, "Root certificate: %s\n", root)
		}
		if !fixes.Stopgap(r.Verdict.Obstacle()) {
			fmt.Fprintf(&b, "After this change, it calls %s over TLS 1.2 or later.\n", wanted(r, hosts, of.to))
		}
	}
	switch day := (ledger.Forecast{Target: of.target}).TargetDate(); {
	case r.Failing && r.Suspected:
		b.WriteString("\nIf it is a health check, it needs no change. Otherwise it is down now: please change it today.\n")
	case r.Failing: // it cannot wait for the target
		b.WriteString("\nIt is down now: please change it today.\n")
	case r.AllRefused: // it cannot wait either, but that is for the operator to change
	case day == "":
	case now.Before(of.target):
		fmt.Fprintf(&b, "\nPlease finish by %s.\n", day)
	default:
		fmt.Fprintf(&b, "\nThe date for this was %s. Please reply with a new one.\n", day)
	}
	if site != "" {
		fmt.Fprintf(&b, "\nMore: %s%s\n", site, clientURL(r.Client))
	}
	return b.String()
}

// openingOf returns the first sentence of a message.
func openingOf(r *ledger.Row, migratedAfter time.Duration, now time.Time) string {
	name := oneLine(r.Client)
	switch {
	case r.Failing && r.Suspected:
		return name + " leaves after each TLS handshake without a call: it may not trust the certificate that it is shown, and then none of its messages is sent."
	case r.Failing:
		return name + " cannot call SMSPortal: its TLS handshakes fail, so none of its messages is sent."
	case r.AllRefused:
		return fmt.Sprintf("tlslift refused the last call of %s, at %s, and saw none of its calls succeed in the %s before it.",
			name, figures.Clock(r.LastRefused), figures.Length(migratedAfter))
	case r.Regressed:
		return fmt.Sprintf("%s was declared migrated on %s, and has called SMSPortal insecurely since.", name, figures.Moment(r.Declared))
	case r.State == ledger.Insecure:
		return name + " calls SMSPortal over plain HTTP or old TLS. When SMSPortal requires TLS 1.2, only tlslift keeps it working."
	case r.State == ledger.Mixed:
		return fmt.Sprintf("%s calls SMSPortal over TLS 1.2 or later, and also over plain HTTP or old TLS, the last time at %s. If it has been changed since, please say when.", name, figures.Clock(r.LastInsecure))
	case r.State == ledger.Silent:
		last := r.LastInsecure
		if r.LastSecure.After(last) {
			last = r.LastSecure
		}
		return fmt.Sprintf("%s has made no call through tlslift since %s (%s). Was it migrated, switched off, or does it call rarely?", name, figures.Clock(last), figures.Ago(now.Sub(last)))
	}
	return ""
}

// counted lists why a client's handshakes failed. It leaves out those that were not
// followed by a call, unless the client is suspected, and those that were not TLS.
func counted(r *ledger.Row) string {
	failures := maps.Clone(r.Failures)
	delete(failures, call.HandshakeNotTLS.String())
	if !r.Suspected {
		delete(failures, call.HandshakeNoCall.String())
	}
	return inWords(failures, failureTexts)
}

// wanted says in words what a client that calls some hosts should call instead. A
// client that calls them over TLS keeps its addresses, except where to has another
// host: it does not apply to TLS 1.2.
func wanted(r *ledger.Row, hosts []string, to func(string) string) string {
	plain := slices.ContainsFunc(r.Requests, func(c ledger.RequestCount) bool { return c.TLSVersion == call.VersionNone.String() })
	var addresses []string
	for _, h := range hosts {
		if to != nil {
			h = cmp.Or(to(h), h)
		}
		a := "https://" + h
		if plain {
			a = fixes.Address(h)
		}
		if !slices.Contains(addresses, a) {
			addresses = append(addresses, a)
		}
	}
	if len(addresses) == 0 {
		return "the API's https address"
	}
	return oneLine(strings.Join(addresses, ", "))
}

// severalPrograms names the programs that call by one name, as far as they are
// known, and says where to find advice for the others.
func severalPrograms(r *ledger.Row, site string) string {
	shown := r.Behind.UserAgents
	if len(shown) < 2 {
		shown = r.Behind.Libraries
	}
	var names []string
	for _, s := range shown {
		if s.Name == call.FamilyNone.String() {
			s.Name = "one without a User-Agent"
		}
		names = append(names, s.Name)
	}
	text := "More than one program uses this name"
	if len(names) > 0 {
		text += " (" + oneLine(strings.Join(names, ", ")) + ")"
	}
	text += ". Each needs its own change"
	if site != "" {
		text += "; for those that are not named below, see " + site + "/fixes"
	}
	return text
}

// forWhich says which of several programs the advice is about, or returns "" if
// there is only one.
func forWhich(r *ledger.Row) string {
	if runtime := r.Runtime(); r.SeveralPrograms && runtime != "" {
		return "for " + runtime
	}
	return ""
}

// oneLine keeps text that a caller may have invented from looking like lines of
// the message.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}
