// Package fixes says what to change in a client so it no longer needs tlslift.
// One function makes the advice from a table of obstacles and a table of facts
// about programs and TLS libraries. There is a page for each. The pages are part
// of the binary.
package fixes

import (
	"cmp"
	"embed"
	"html/template"
	"slices"
	"strings"
)

//go:embed *.md
var pages embed.FS

// Client is what is known about a client: three facts, none of which implies
// another. Each may be empty.
type Client struct {
	Obstacle Obstacle // a verdict of metrics/ledger, or why a handshake failed
	Library  string   // its TLS library, as package hello names it
	Program  string   // its program, as call.Family names it

	Offered    string   // the highest TLS version it ever offered, as call.Version names it
	OldOffered string   // the same for its hellos that do not offer TLS 1.2
	Settings   []string // the settings that lead its calls to tlslift, as call.Setting names them

	FallsBack bool // its URL is the API's own, in cleartext
	Silent    bool // only its silent leaving suggests that it distrusts a certificate
	Migrated  bool // nothing is left to change in it
	Declared  bool // its owner says that it is migrated
}

// Fix is what to change in a client.
type Fix struct {
	Key      string   // what the advice is about, e.g. "legacy-only/php/openssl-098"; "" = nothing
	Sentence string   // for the owner of the client; plain text
	Operator string   // what the operator of tlslift can do until then; "" = nothing
	Pages    []string // what to read, in order, without ".md"
}

// fallsBack returns advice to add for a client whose URL is the API's own, in
// cleartext, and whose calls one of the settings leads to tlslift. While tlslift
// is down, its calls fail.
func fallsBack(settings []string) string {
	what := "what leads it to tlslift"
	if len(settings) == 1 {
		what = cmp.Or(map[string]string{"proxy": "its proxy setting", "name": "its hosts-file or DNS entry, or its proxy setting,", "redirect": "its redirect"}[settings[0]], what)
	}
	return "If " + what + " gets lost, it calls in clear, without encryption. Until it is changed, block outgoing connections to port 80 on its machine, except to tlslift."
}

// firstHTTPS returns the advice for a client that could call by itself but uses
// http addresses. Without tlslift it would call them in cleartext.
func firstHTTPS(settings []string) []string {
	said := []string{"It can speak TLS 1.2 already: first change its http addresses to https."}
	for _, sentence := range leave(settings) {
		said = append(said, "Then "+strings.ToLower(sentence[:1])+sentence[1:])
	}
	return said
}

// For returns the advice for a client.
func For(c Client) Fix {
	o, ok := obstacles[c.Obstacle]
	if !ok {
		return Fix{}
	}
	if c.Obstacle == NeverCalls {
		return Fix{Key: string(NeverCalls), Sentence: o.sentence}
	}
	if c.Migrated && !o.leave && !o.stands {
		return Fix{}
	}
	program, library := runtimeOf(programs, c.Program), runtimeOf(libraries, c.Library)
	f := Fix{Key: string(c.Obstacle), Operator: o.operator}
	sentence := o.sentence
	if c.Silent && o.silent != "" {
		sentence = o.silent
	}
	if c.offersTLS12() && c.OldOffered == "" { // what terminates it is the list
		sentence = strings.Replace(sentence, "change the client to TLS 1.2", "have the operator of tlslift remove it from legacy_tls.terminate_clients", 1)
	}
	said := []string{c.AtMost(sentence)}
	for _, r := range []*Runtime{program, library} {
		if r != nil {
			f.Key += "/" + r.Key
		}
	}
	if o.first != "" && c.Offered != "" {
		said = append(said, o.first)
	}
	if c.Migrated && o.leave {
		f.Sentence, f.Pages = leaving(c), []string{o.page}
		return f
	}
	if o.runtime {
		said = append(said, changes(o, program, library)...)
	}
	switch {
	case o.leave && c.FallsBack:
		said = append(firstHTTPS(c.Settings), fallsBack(c.Settings))
	case o.leave:
		said = append(said, leave(c.Settings)...)
	case c.FallsBack:
		said = append(said, fallsBack(c.Settings))
	}
	f.Sentence = strings.Join(said, " ")
	read := []string{pageOf(program), pageOf(library)}
	if program != nil && program.Change == "" {
		slices.Reverse(read) // what is known comes first
	}
	if o.last && (program != nil || library != nil) {
		f.Pages = unique(read)
	} else {
		f.Pages = unique(append([]string{o.page}, read...))
	}
	return f
}

// AtMost makes a sentence about a client that "offers at most TLS 1.1" exact. If
// the highest version of its old hellos is lower, it names that one. If other
// hellos offer TLS 1.2, it says that only part of the client is meant.
func (c *Client) AtMost(sentence string) string {
	if version := cmp.Or(c.OldOffered, c.Offered); version == "ssl3" || version == "1.0" {
		sentence = strings.Replace(sentence, "at most TLS 1.1", "at most "+VersionName(version), 1)
	}
	if c.offersTLS12() {
		sentence = strings.NewReplacer("It offers at most", "Part of it offers at most", "it offers at most", "part of it offers at most").Replace(sentence)
	}
	return sentence
}

// VersionName returns the name of an SSL or TLS version, for text. It takes the
// version as call.Version names it in metrics and JSON.
func VersionName(version string) string {
	if version == "ssl3" {
		return "SSL 3.0"
	}
	return "TLS " + version
}

// offersTLS12 reports whether a hello of the client offered TLS 1.2 or later.
func (c *Client) offersTLS12() bool { return c.Offered == "1.2" || c.Offered == "1.3" }

// leaving returns what is left to do for a client that is migrated but still
// calls through tlslift.
func leaving(c Client) string {
	said := leave(c.Settings)
	if len(said) == 0 {
		said = []string{"Let it use the API's https addresses without tlslift."}
	}
	if !c.Declared {
		said = append(said, "Then tell the operator of tlslift, who declares it migrated.")
	}
	return strings.Join(said, " ")
}

// leave returns what to remove from a client that no longer needs tlslift, for
// each setting that leads it there.
func leave(settings []string) []string {
	var out []string
	for _, s := range [...]struct{ setting, sentence string }{
		{"url", "Change its URL from tlslift's address to the API's."},
		{"proxy", "Remove its proxy setting."},
		{"name", "Remove the hosts-file or DNS entry, or the proxy setting, that leads to tlslift."},
		{"redirect", "Stop redirecting its connections to tlslift."},
	} {
		if slices.Contains(settings, s.setting) {
			out = append(out, s.sentence)
		}
	}
	return out
}

// changes returns what the program and its TLS library add to an obstacle. Only
// the library's advice counts if nothing can help the library, or if the program's
// advice is not about it. A library that has TLS 1.2 needs no newer one, whatever
// the program is. A library covered by the program's own advice adds nothing.
func changes(o about, program, library *Runtime) []string {
	switch {
	case library != nil && library.Hopeless:
		return []string{library.Change}
	case library != nil && library.Change != "" && !library.HasTLS12 && !program.presumes(library):
		return []string{library.Change}
	case library != nil && library.HasTLS12 && program != nil && program.Limits != "":
		return []string{library.Change, program.Limits}
	case library != nil && library.HasTLS12 && program != nil && program.Page == library.Page:
		return []string{library.Change}
	case program == nil && library == nil && o.unknown != "":
		return []string{o.unknown}
	case program == nil || program.Change == "":
		if library != nil && library.Change != "" {
			return []string{library.Change}
		}
		if o.unknown != "" {
			return []string{o.unknown}
		}
		return nil
	case library == nil || library.Change == "" || library.Page == program.Page:
		return []string{program.Change}
	default:
		return []string{program.Change, library.Change}
	}
}

// presumes reports whether a program's advice applies to a TLS library.
func (r *Runtime) presumes(library *Runtime) bool {
	if r == nil || r.Presumes == nil {
		return true
	}
	kind, _, _ := strings.Cut(library.Key, "-")
	return slices.Contains(r.Presumes, kind)
}

// Stopgap reports whether the advice for an obstacle has a step that lets the
// client call today but does not give it TLS 1.2.
func Stopgap(o Obstacle) bool { return obstacles[o].stopgap }

func pageOf(r *Runtime) string {
	if r == nil {
		return ""
	}
	return r.Page
}

// unique drops empty and repeated names.
func unique(names []string) []string {
	var out []string
	for _, n := range names {
		if n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func runtimeOf(table []Runtime, name string) *Runtime {
	if name == "" {
		return nil
	}
	for i := range table {
		if slices.Contains(table[i].Names, name) {
			return &table[i]
		}
	}
	return nil
}

// Address returns the https address to call instead of a host's http address. For
// the API's older names, it is the one in http-to-https.md.
func Address(host string) string {
	switch host {
	case "www.mymobileapi.com", "mymobileapi.com", "legacy.mymobileapi.com":
		host = "api.smsportal.com"
	case "rest.mymobileapi.com":
		host = "rest.smsportal.com"
	}
	return "https://" + host
}

// Page is one page of advice.
type Page struct {
	Name  string        // as in Fix.Pages
	Title string        // plain text
	HTML  template.HTML // without the title
}

// Lookup returns a page by its name.
func Lookup(name string) (Page, bool) {
	if name == "" || strings.ContainsAny(name, "/.\\") {
		return Page{}, false
	}
	text, err := pages.ReadFile(name + ".md")
	if err != nil {
		return Page{}, false
	}
	title, html, err := render(text)
	return Page{Name: name, Title: title, HTML: html}, err == nil
}

// Names lists the pages in alphabetical order.
func Names() []string {
	entries, err := pages.ReadDir(".")
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".md"))
	}
	slices.Sort(names)
	return names
}
