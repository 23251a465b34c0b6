package page

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tlslift/docs/fixes"
	"tlslift/metrics/figures"
	"tlslift/metrics/ledger"
)

// base is what every page's layout needs.
type base struct {
	Title string
	Text  string
}

func (s *server) funcs() template.FuncMap {
	return template.FuncMap{
		"ago":       func(t time.Time) string { return figures.Ago(s.Clock().Sub(t)) },
		"stamp":     figures.Clock,
		"iso":       figures.Stamp,
		"day":       figures.Date,
		"moment":    figures.Moment,
		"short":     figures.Short,
		"count":     func(n uint64) string { return figures.Short(float64(n)) },
		"figure":    figures.Count,
		"figure32":  func(n uint32) string { return figures.Count(int(n)) },
		"clientURL": clientURL,
		"knownBy":   func(r ledger.Row) string { return knownBy(&r) },
		"secret":    func(kind string) string { return cmp.Or(secretTexts[kind], kind) },
		"times":     times,
		"reasons":   reasons,
		"notes":     func(r ledger.Row) []string { return r.Notes(s.Clock()) },
		"tls":       fixes.VersionName,
		"future":    func(t time.Time) bool { return t.After(s.Clock()) },
		"asset":     func(name string) string { return "/assets/" + name + "?v=" + s.assets },
		"version":   func() string { return s.Version },
		"stateText": func(state any) string { return stateText(fmt.Sprint(state), s.Ledger.MigratedAfter()) },
	}
}

// clientURL returns the address of a client's page. A browser removes . and ..
// from any path (URL Standard, 4.1), escaped or not, so these go into the query.
func clientURL(name string) string {
	if name == "." || name == ".." {
		return "/clients/?name=" + name
	}
	return "/clients/" + url.PathEscape(name)
}

// clientName returns the client that a request for such an address is about.
func clientName(r *http.Request) string {
	return cmp.Or(r.PathValue("name"), r.URL.Query().Get("name"))
}

// stateTexts say what a state, or a note next to it, means. periodMark is
// replaced by policy.migrated_after.
var stateTexts = map[string]string{
	"insecure": "called over plain HTTP or old TLS in ^, and not securely",
	"mixed":    "called both securely and over plain HTTP or old TLS in ^: part of it has changed",
	"silent":   "no call in ^, or none since its TLS handshakes began to fail, which is not the same as migrated",
	"unseen":   "named in the configuration, and no call from it has been seen",
	"migrated": "called over TLS 1.2 or later in ^, and not insecurely",
	"no-calls": "connected and never made a call, as a scanner, a health check, or a client whose calls fail does; in no share",

	ledger.SelectRegressed:   "declared migrated, and called over plain HTTP or old TLS since",
	ledger.SelectMisdeclared: "declared migrated, and never seen making a call: its name may be misspelled",
	"declared":               "declared migrated by its owner",
	ledger.SelectFailing:     "no call from it arrives now: its TLS handshakes fail, or it leaves after them. It is counted under its state, too",
}

const periodMark = "^"

// stateText says what a state or a note means, or returns "" if it has no text.
func stateText(state string, migratedAfter time.Duration) string {
	return strings.ReplaceAll(stateTexts[state], periodMark, figures.Last(migratedAfter))
}

// knownBy says how a client is identified, or returns "" if that is unknown.
func knownBy(r *ledger.Row) string {
	switch r.Source {
	case "listener", "proxy_auth", "workload", "name":
		switch {
		case !r.Configured:
			return "a name that the configuration no longer has"
		case r.Unnamed:
			return "a name that only policy.clients has"
		}
	}
	return cmp.Or(sourceTexts[r.Source], r.Source)
}

// sourceTexts say how a client is identified.
var sourceTexts = map[string]string{
	"listener":   "its own port",
	"proxy_auth": "its proxy credentials",
	"proxy_user": "the user name in its proxy setting, unchecked",
	"workload":   "its workload",
	"name":       "its address, which has a name in the configuration",
	"account":    "its API account, unchecked",
	"address":    "its address",
}

// secretTexts say where a secret was.
var secretTexts = map[string]string{
	"query":  "a password in the address (query)",
	"form":   "a password in a form",
	"basic":  "a client ID and secret in the Authorization header (basic)",
	"bearer": "a token in the Authorization header (bearer)",
	"soap":   "a password in the SOAP body",
}

// times formats how often something was seen.
func times(n uint64) string {
	if n == 1 {
		return "1 time"
	}
	return figures.Short(float64(n)) + " times"
}

// reasons lists reasons with how often each was seen.
func reasons(counts map[string]uint64) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, name+": "+figures.Short(float64(counts[name])))
	}
	return strings.Join(list, ", ")
}
