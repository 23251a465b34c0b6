// Package fixes says what to change in a client so that it needs tlslift no
// more: one page per runtime and per obstacle, and the rule that finds the page
// for a client's verdict and library. The pages are part of the binary.
package fixes

import (
	"embed"
	"html/template"
	"slices"
	"strings"
)

//go:embed *.md
var pages embed.FS

// Fix is what the owner of a client is told.
type Fix struct {
	Sentence string // one or two sentences, plain text
	Page     string // the page about the obstacle or the runtime, without ".md"
	Runtime  string // the page about the runtime, if it is known and another one; else ""
}

// FallsBack is added for a client whose URL is the API's own, in clear.
const FallsBack = "It falls back to clear if tlslift is not there: refuse port 80 until it is changed."

// verdict texts, by the words of metrics/ledger. The page is used when the
// runtime is not known, or always when first is set: then the obstacle comes
// before the runtime.
var verdicts = map[string]struct {
	sentence string
	page     string
	first    bool
}{
	"plaintext":          {"Change its API address from http to https.", "http-to-https", true},
	"legacy-only":        {"It offers at most TLS 1.1: switch TLS 1.2 on, or update the runtime or its TLS library.", "other", false},
	"sslv2-framed":       {"It opens with an SSLv2-format hello, as Java 6 and OpenSSL 0.9.8 do: update the runtime or its TLS library to TLS 1.2.", "other", false},
	"capable":            {"It can speak TLS 1.2 already: use https addresses and take the proxy out.", "drop-the-proxy", true},
	"no-shared-cipher":   {"It offers TLS 1.2, but no cipher suite that SMSPortal accepts: update its TLS library or remove its cipher list.", "shared-ciphers", true},
	"distrusts-ca":       {"It rejects tlslift's certificate: install the CA where it looks, or change the client to TLS 1.2.", "trust-the-ca", true},
	"distrusts-upstream": {"It rejects SMSPortal's certificate: update its root certificates.", "upstream-certificate", true},
}

// runtimes maps what a library guess or User-Agent family contains, in lower
// case, to a page and an addition to the sentence. The first match wins.
var runtimes = []struct {
	contains string
	page     string
	advice   string
}{
	{"javascript", "node", ""},
	{"java 6", "java", "Java 6 has TLS 1.2 only with paid updates: move to Java 8 or later."},
	{"java 5", "java", "Java 5 has no TLS 1.2: move to Java 8 or later."},
	{"java 7", "java", "Java 7 has TLS 1.2, off by default before 7u131: -Dhttps.protocols=TLSv1.2."},
	{"java 8", "java", "Java 8 has TLS 1.2 on by default."},
	{"java", "java", ""},
	{"jsse", "java", ""},
	{"jax-ws", "java", ""},
	{"axis", "java", ""},
	{"cxf", "java", ""},
	{"httpclient", "java", ""},
	{"coldfusion", "java", "ColdFusion uses the Java it runs on."},
	{"winhttp", "winhttp", "Windows 7 to Server 2012 need KB3140245 and DefaultSecureProtocols."},
	{"msxml", "winhttp", "Windows 7 to Server 2012 need KB3140245 and DefaultSecureProtocols."},
	{".net 1", "dotnet", ".NET 1 has no TLS 1.2: move to 4.7.2 or later."},
	{".net", "dotnet", "Set SchUseStrongCrypto and SystemDefaultTlsVersions, or target 4.7.2."},
	{"mono", "dotnet", "Mono has TLS 1.2 since 4.8."},
	{"powershell", "dotnet", "Set SchUseStrongCrypto and SystemDefaultTlsVersions."},
	{"schannel", "dotnet", "On Windows, TLS 1.2 has to be in the system and switched on for the program."},
	{"windows", "dotnet", "On Windows, TLS 1.2 has to be in the system and switched on for the program."},
	{"php", "php", "PHP needs OpenSSL 1.0.1 or later, and libcurl 7.34 or later."},
	{"python", "python", "Python needs 2.7.9 or 3.4, and OpenSSL 1.0.1 or later."},
	{"perl", "perl", "Perl needs IO::Socket::SSL on OpenSSL 1.0.1 or later."},
	{"ruby", "ruby", "Ruby needs 2.0 or later, and OpenSSL 1.0.1 or later."},
	{"synapse", "delphi", "Synapse needs current OpenSSL DLLs."},
	{"indy", "delphi", "Indy needs OpenSSL 1.0.2 DLLs and sslvTLSv1_2."},
	{"delphi", "delphi", ""},
	{"node", "node", ""},
	{"curl", "curl-openssl", "curl needs OpenSSL 1.0.1 or later."},
	{"wget", "curl-openssl", "Wget needs OpenSSL 1.0.1 or a current GnuTLS."},
	{"openssl", "curl-openssl", "OpenSSL has TLS 1.2 since 1.0.1."},
}

// For finds the fix for a verdict (a word of metrics/ledger) and a library or
// User-Agent family as the ledger names it; either may be empty.
func For(verdict, library string) Fix {
	v, ok := verdicts[verdict]
	if !ok {
		return Fix{}
	}
	f := Fix{Sentence: v.sentence, Page: v.page}
	page, advice := runtime(library)
	if page == "" {
		return f
	}
	if v.first {
		f.Runtime = page
	} else {
		f.Page = page
	}
	if advice != "" && (verdict == "plaintext" || verdict == "legacy-only" || verdict == "sslv2-framed") {
		f.Sentence += " " + advice
	}
	return f
}

func runtime(library string) (page, advice string) {
	library = strings.ToLower(library)
	if library == "" {
		return "", ""
	}
	for _, r := range runtimes {
		if strings.Contains(library, r.contains) {
			return r.page, r.advice
		}
	}
	return "", ""
}

// Page is one page of advice.
type Page struct {
	Name  string        // as in Fix.Page
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
	title, html := render(string(text))
	return Page{Name: name, Title: title, HTML: html}, true
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
