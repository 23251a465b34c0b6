package fixes_test

import (
	"html"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tlslift/docs/fixes"
	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
	"tlslift/proxy/hello"
)

// Every verdict, program and library gives a sentence that fits a table, and
// pages that exist; nothing in the tables is a name that nobody has.
func TestEveryClientHasAFix(t *testing.T) {
	t.Parallel()
	libraries, families := []string{"", "unknown"}, []string{""}
	for l := range hello.Libraries() {
		libraries = append(libraries, l.String())
	}
	for f := range call.NumFamilies {
		families = append(families, f.String())
	}
	for _, v := range ledger.Verdicts {
		for _, l := range libraries {
			for _, f := range families {
				c := fixes.Client{Obstacle: v.Obstacle(), Library: l, Program: f}
				fix := fixes.For(c)
				if fix.Sentence == "" || len(fix.Sentence) > 330 || len(fix.Pages) == 0 || fix.Key == "" {
					t.Errorf("%+v: %+v (%d bytes)", c, fix, len(fix.Sentence))
				}
				for i, name := range fix.Pages {
					if _, ok := fixes.Lookup(name); !ok || slices.Contains(fix.Pages[:i], name) {
						t.Errorf("%+v: pages %q", c, fix.Pages)
					}
				}
			}
		}
	}
	if fix := fixes.For(fixes.Client{Program: "Java 7"}); fix.Sentence != "" {
		t.Errorf("a client never seen: %+v", fix)
	}
}

func TestTheTablesNameWhatExists(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for f := range call.NumFamilies {
		known[f.String()] = true
		if fixes.Known(fixes.Client{Program: f.String()}) == (f == call.FamilyOther || f == call.FamilyBrowser) {
			t.Errorf("program %q has no advice, or should have none", f)
		}
	}
	for l := range hello.Libraries() {
		known[l.String()] = true
		if !fixes.Known(fixes.Client{Library: l.String()}) {
			t.Errorf("library %q has no advice", l)
		}
	}
	keys := map[string]bool{}
	for r := range fixes.Runtimes() {
		if _, ok := fixes.Lookup(r.Page); !ok || keys[r.Key] || r.Key == "" {
			t.Errorf("%+v", r)
		}
		keys[r.Key] = true
		for _, n := range r.Names {
			if !known[n] {
				t.Errorf("%s: nobody is called %q", r.Key, n)
			}
		}
		if r.Change != "" && (len(r.Change) > 130 || len(facts(t, r.Page)) == 0 && r.Page != "perl" && r.Page != "ruby") {
			t.Errorf("%s: %d bytes, or no facts behind it: %s", r.Key, len(r.Change), r.Change)
		}
	}
}

func TestFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		obstacle, library, program string
		pages                      string
		says, not                  string
	}{
		// A program on a library: the program's page first, the library's second.
		{"legacy-only", "OpenSSL 1.0.x", "PHP", "php curl-openssl", "If it is 1.0.1 or 1.0.2, remove the setting", ""},
		{"legacy-only", "OpenSSL 0.9.8 or older", "PHP", "php curl-openssl", "0.9.8 has no TLS 1.2", "PHP uses"},
		{"plaintext", "", "PHP", "http-to-https php", "OpenSSL", ""},
		{"capable", "OpenSSL 1.1.0 or later", "PHP", "drop-the-proxy php curl-openssl", "without tlslift", "openssl.cnf"},
		// OpenSSL 3 that offers TLS 1.0 was limited, not old.
		{"legacy-only", "OpenSSL 1.1.0 or later", "", "curl-openssl", "MaxProtocol", "pdate"},
		// A WinHTTP program with an SChannel hello has WinHTTP's page first.
		{"legacy-only", "SChannel", "WinHTTP", "winhttp windows", "KB3140245", "SchUseStrongCrypto"},
		// XP cannot be switched on, whatever the program.
		{"legacy-only", "SChannel Windows XP, Server 2003", ".NET 2-3.5", "dotnet windows", "move the program", "SchUseStrongCrypto"},
		{"legacy-only", "SChannel Windows XP, Server 2003", "WinHTTP", "winhttp windows", "no setting changes that", "switch TLS 1.2 on"},
		{"plaintext", "", "WinINet", "http-to-https access-vba", "Windows XP, Vista and Server 2003 have no TLS 1.2: move the program.", ""},
		{"legacy-only", "SChannel Windows 7 to 11 with TLS 1.2", "WinINet", "access-vba windows", "Its Windows has TLS 1.2", "XP"},
		{"plaintext", "", "WinINet", "http-to-https access-vba", "Internet Options", "SchUseStrongCrypto"},
		// .NET 2 to 3.5 has TLS 1.2 only with an update: the values alone do nothing.
		{"plaintext", "", ".NET 2-3.5", "http-to-https dotnet", "KB3154517", "SchUseStrongCrypto"},
		{"plaintext", "", ".NET 4", "http-to-https dotnet", "SchUseStrongCrypto", "KB"},
		{"plaintext", "", "PowerShell", "http-to-https powershell", "SecurityProtocol = 'Tls12'", ""},
		{"plaintext", "", "none", "http-to-https no-user-agent", "https", ""},
		// What is known leads: a library before a User-Agent that is missing.
		{"plaintext", "Go crypto/tls", "none", "http-to-https libraries no-user-agent", "MaxVersion", ""},
		{"legacy-only", "OpenSSL 1.1.0 or later", "none", "curl-openssl no-user-agent", "MaxProtocol", ""},
		// A library that has TLS 1.2 needs no newer one: the program's limit is to go.
		{"legacy-only", "OpenSSL 1.1.0 or later", "curl", "curl-openssl", "Its OpenSSL has TLS 1.2: remove the limit (a fixed protocol version in the program, or MaxProtocol in openssl.cnf). For curl, look for --tls-max", "It needs"},
		{"legacy-only", "OpenSSL 1.1.0 or later", "PHP", "php curl-openssl", "CURLOPT_SSLVERSION", "has to be"},
		{"legacy-only", "Mono 5 or later (BoringSSL)", ".NET", "dotnet", "SecurityProtocol line", "SchUseStrongCrypto"},
		{"legacy-only", "SChannel Windows 7 to 11 with TLS 1.2", "WinHTTP", "winhttp windows", "DefaultSecureProtocols", "need KB"},
		{"legacy-only", "SChannel Windows 7 to 11 with TLS 1.2", "", "windows", "Its Windows has TLS 1.2", "Update"},
		{"version-refused", "OpenSSL 1.1.0 or later", "", "curl-openssl", "MaxProtocol", "pdate"},
		{"version-refused", "", "", "", "Update its TLS library", ""},
		{"plaintext", "OpenSSL 0.9.8 or older", "curl", "http-to-https curl-openssl", "0.9.8 has no TLS 1.2", "For curl"},
		// A library that is not the one that the program's advice is about has the word.
		{"legacy-only", "NSS 3.x before TLS 1.2 (Firefox 26 and older)", "curl before 7.34", "curl-openssl libraries", "It offers at most TLS 1.1. NSS has TLS 1.2 from 3.15.1 on: update it, and the program or system that it comes with.", "OpenSSL"},
		{"legacy-only", "NSS 3.x before TLS 1.2 (Firefox 26 and older)", "curl", "curl-openssl libraries", "NSS", "GnuTLS"},
		{"legacy-only", "NSS 3.x before TLS 1.2 (Firefox 26 and older)", "PHP", "php libraries", "NSS", "OpenSSL"},
		{"plaintext", "SChannel Windows Vista, 7, Server 2008", "curl", "http-to-https curl-openssl windows", "Windows 7, Server 2008 R2", "OpenSSL"},
		{"legacy-only", "OpenSSL 1.0.x", "curl", "curl-openssl", "It needs OpenSSL 1.0.1", ""},
		{"plaintext", "", "other", "http-to-https", "https", ""},
		{"plaintext", "", "Java 6 or older", "http-to-https java", "only with paid updates", "TLSv1.2"},
		{"sslv2-framed", "Java 6 or older", "Apache HttpClient", "java", "Java 8", "https.protocols"},
		// The User-Agent of Apache HttpClient may be that of any Java.
		{"plaintext", "", "Apache HttpClient", "http-to-https java", "On Java 8 or later, it has TLS 1.2: if its code names protocols, add TLSv1.2.", ""},
		// What limits a program may not exist.
		{"plaintext", "", "Java 8", "http-to-https java", "If the program limits the TLS version, remove that limit.", ""},
		{"plaintext", "", "Go", "http-to-https libraries", "If the program sets MaxVersion in its tls.Config, remove it.", ""},
		{"sslv2-framed", "", "", "other", "SSLv2Hello", ""},
		{"legacy-only", "unknown", "", "other", "Update its runtime", ""},
		{"legacy-only", "Java 7", "Java 7", "java", "https.protocols", ""},
		{"plaintext", "", "IBM i HTTPAPI", "http-to-https ibm-i", "QSSLPCL", ""},
		{"plaintext", "", "Perl", "http-to-https perl", "IO::Socket::SSL", ""},
		{"legacy-only", "OpenSSL 1.1.0 or later", "Python", "python curl-openssl", "for PycURL, SSLVERSION", ""},
		{"plaintext", "", "Axis 1", "http-to-https java", "Java it runs on", ""},
		{"plaintext", "", "Delphi", "http-to-https delphi", "WinHTTP", ""},
		{"plaintext", "", "SAP NetWeaver", "http-to-https sap", "CommonCryptoLib", ""},
		{"plaintext", "", "Oracle UTL_HTTP", "http-to-https oracle-utl-http", "wallet", ""},
		{"plaintext", "", "Lotus Notes", "http-to-https domino", "9.0.1 FP3", ""},
		{"plaintext", "", "ColdFusion", "http-to-https coldfusion", "Java 8", ""},
		{"shut-out", "", "", "shut-out", "http://", ""},
		{"no-server-name", "", "", "no-server-name", "SNI", ""},
		{"names-wrong-host", "", "", "names-wrong-host", "localhost", ""},
		{"distrusts-ca", "", "Python requests", "trust-the-ca python", "install the CA", ""},
	} {
		got := fixes.For(fixes.Client{Obstacle: fixes.Obstacle(c.obstacle), Library: c.library, Program: c.program})
		if strings.Join(got.Pages, " ") != c.pages || !strings.Contains(got.Sentence, c.says) || c.not != "" && strings.Contains(got.Sentence, c.not) {
			t.Errorf("%s, %q, %q: %+v, want pages %q, %q and not %q", c.obstacle, c.library, c.program, got, c.pages, c.says, c.not)
		}
	}
}

// hasTLS12 says of each library whether all its versions have TLS 1.2.
var hasTLS12 = map[string]bool{
	"SChannel Windows XP, Server 2003":       false,
	"SChannel Windows Vista, 7, Server 2008": false,
	"SChannel":                               false,
	"SChannel Windows 7 to 11 with TLS 1.2":  true,
	"Java 6 or older":                        false,
	"Java 7":                                 false, // off by default
	"Java 8 before 8u261":                    true,
	"Java":                                   false,
	"Java 8u261, 9 or later":                 true,
	"OpenSSL 0.9.8 or older":                 false,
	"OpenSSL 1.0.x":                          false, // 1.0.0
	"OpenSSL 1.1.0 or later":                 true,
	"LibreSSL 2.x":                           true,
	"GnuTLS 3.x":                             true,
	"NSS 3.x before TLS 1.2 (Firefox 26 and older)": false,
	"NSS 3.15.1 or later":                           true,
	"Android 2.x":                                   false,
	"Android 4.x":                                   false,
	"Android 5 or later":                            true,
	"Secure Transport OS X 10.6 to 10.8":            false,
	"Secure Transport OS X 10.9, iOS 5 or later":    true,
	"Presto Opera 12":                               false, // off by default
	"Mono 5 or later (BoringSSL)":                   true,
	"BoringSSL Chromium and its kin":                true,
	"Go crypto/tls":                                 true,
}

// asksForNewer is what sentences ask for that TLS 1.2 is missing from.
var asksForNewer = regexp.MustCompile(`\bneeds? |has to (be|have)|[Mm]ove (to|there)|[Uu]pdate (it|the|Open)|has no TLS|to one that has|paid updates`)

// No sentence asks for a runtime or library that a client's library already is:
// not for any obstacle to TLS 1.2, program and library.
func TestNoAdviceAsksForWhatIsThere(t *testing.T) {
	t.Parallel()
	obstacles := []fixes.Obstacle{fixes.VersionRefused, fixes.NoCA, fixes.SSLv2Refused}
	for _, v := range ledger.Verdicts {
		if v != ledger.NoSharedCipher && v != ledger.DistrustsUpstream { // suites and roots age as well
			obstacles = append(obstacles, v.Obstacle())
		}
	}
	for l := range hello.Libraries() {
		has, listed := hasTLS12[l.String()]
		if !listed {
			t.Errorf("%s: say whether it has TLS 1.2", l)
		}
		limited := fixes.For(fixes.Client{Obstacle: "legacy-only", Library: l.String(), Program: "curl"}).Sentence
		if strings.Contains(limited, "For curl, look for --tls-max") != has {
			t.Errorf("%s has TLS 1.2: %t, and curl on it gets: %s", l, has, limited)
		}
		programs := []string{""}
		for f := range call.NumFamilies {
			// These name a version of their own, which has no TLS 1.2 whatever
			// else a client has.
			if f == call.FamilyNet1 || f == call.FamilyJava6 && l.Name != "Java" {
				continue
			}
			programs = append(programs, f.String())
		}
		for _, p := range programs {
			for _, o := range obstacles {
				c := fixes.Client{Obstacle: o, Library: l.String(), Program: p}
				if asked := asksForNewer.FindString(fixes.For(c).Sentence); has && asked != "" {
					t.Errorf("%+v asks for what is there, %q: %s", c, asked, fixes.For(c).Sentence)
				}
			}
		}
	}
}

// A client that can speak TLS 1.2 is told to take out what leads it to tlslift,
// and nothing else.
func TestWhatLeadsToTlslift(t *testing.T) {
	t.Parallel()
	const first = "It can speak TLS 1.2 already: let it use the API's https addresses without tlslift."
	for settings, want := range map[string]string{
		"":          first,
		"url":       first + " Change its URL from tlslift's address to the API's.",
		"proxy":     first + " Remove its proxy setting.",
		"name":      first + " Remove the hosts-file or DNS entry, or the proxy setting, that leads to tlslift.",
		"redirect":  first + " Stop redirecting its connections to tlslift.",
		"proxy url": first + " Change its URL from tlslift's address to the API's. Remove its proxy setting.",
	} {
		got := fixes.For(fixes.Client{Obstacle: "capable", Settings: strings.Fields(settings)})
		if got.Sentence != want || got.Key != "capable" {
			t.Errorf("%s: %+v, want %s", settings, got, want)
		}
	}
	for _, s := range call.Settings {
		if fixes.For(fixes.Client{Obstacle: "capable", Settings: []string{s.String()}}).Sentence == first {
			t.Errorf("%s has no sentence", s)
		}
	}
	if got := fixes.For(fixes.Client{Obstacle: "plaintext", Settings: []string{"proxy"}}).Sentence; strings.Contains(got, "emove") {
		t.Errorf("a client without TLS 1.2 is to lose its proxy: %s", got)
	}
}

// A client that can speak TLS 1.2, and has http addresses, must not lose tlslift
// before they are changed. What may get lost has its name.
func TestHTTPAddressesAreChangedFirst(t *testing.T) {
	t.Parallel()
	const port80 = " gets lost, it calls in clear, without encryption. Until it is changed, block outgoing connections to port 80 on its machine, except to tlslift."
	for _, c := range []struct{ obstacle, settings, want string }{
		{"capable", "proxy", "It can speak TLS 1.2 already: first change its http addresses to https. Then remove its proxy setting. If its proxy setting" + port80},
		{"capable", "name", "It can speak TLS 1.2 already: first change its http addresses to https. Then remove the hosts-file or DNS entry, or the proxy setting, that leads to tlslift. If its hosts-file or DNS entry, or its proxy setting," + port80},
		{"capable", "", "It can speak TLS 1.2 already: first change its http addresses to https. If what leads it to tlslift" + port80},
		{"plaintext", "redirect", "Change its URL to the API's https address. If its redirect" + port80},
		{"plaintext", "proxy redirect", "Change its URL to the API's https address. If what leads it to tlslift" + port80},
	} {
		fix := fixes.For(fixes.Client{Obstacle: fixes.Obstacle(c.obstacle), Settings: strings.Fields(c.settings), FallsBack: true})
		if fix.Sentence != c.want {
			t.Errorf("%s, %s: %s", c.obstacle, c.settings, fix.Sentence)
		}
	}
}

// A client may have tlslift's address in its URL, in a proxy setting, or in the
// hosts file: the pages that take it out say so of each.
func TestEveryWayInIsTakenOut(t *testing.T) {
	t.Parallel()
	for name, rows := range map[string][]string{
		"http-to-https":  {"<code>http://TLSLIFT:3128/api.smsportal.com/api5/http5.aspx</code></td>\n<td><code>https://api.smsportal.com/api5/http5.aspx</code>"},
		"drop-the-proxy": {"<td>base URL</td>", "<td>environment</td>", "<td>names</td>"},
	} {
		page, _ := fixes.Lookup(name)
		text := html.UnescapeString(string(page.HTML))
		for _, want := range append(rows, "emove tlslift's address from the URL, the proxy setting, or the hosts-file entry.") {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q in %s", name, want, text)
			}
		}
	}
}

// A migration in two steps keeps what leads to tlslift for a while: each page that
// removes it says so.
func TestRemovingWaitsForTheSecondStep(t *testing.T) {
	t.Parallel()
	const wait = "If the migration owner changes the program in two steps, leave the proxy setting or hosts-file entry until the client's page says *migrated*."
	for _, name := range fixes.Names() {
		text, err := os.ReadFile(name + ".md")
		if err != nil {
			t.Fatal(err)
		}
		removes := strings.Contains(string(text), "\n## Then\n") || name == "http-to-https" || name == "drop-the-proxy"
		if removes != strings.Contains(string(text), wait) {
			t.Errorf("%s removes what leads to tlslift: %t", name, removes)
		}
	}
}

// What limits a program is a setting that its page explains.
func TestLimitsAreOnTheProgramsPage(t *testing.T) {
	t.Parallel()
	setting := regexp.MustCompile(`[-_./()]|[a-z][A-Z]`)
	for r := range fixes.Runtimes() {
		text, err := os.ReadFile(r.Page + ".md")
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range strings.Fields(r.Limits) {
			word = strings.TrimRight(word, ".,:;")
			if setting.MatchString(word) && !strings.Contains(string(text), word) {
				t.Errorf("%s.md says nothing of %q: %s", r.Page, word, r.Limits)
			}
		}
	}
}

// Owners have the pages and no repository: the rule is on the page.
func TestTheRuleForPort80IsOnThePage(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../../deploy/firewall/refuse-port-80.nft")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("http-to-https.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, rule, ok := strings.Cut(string(file), "\n\n"); !ok || !strings.Contains(string(page), "```\n"+rule+"```\n") {
		t.Error("http-to-https.md does not have the rule of refuse-port-80.nft")
	}
}

// Two pages say on which versions of Windows the system has to be told.
func TestPagesAgreeOnWindows(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"dotnet", "windows"} {
		page, _ := fixes.Lookup(name)
		if !strings.Contains(string(page.HTML), "On Windows 7, Server 2008 R2, and Server 2008 SP2") {
			t.Errorf("%s has another list", name)
		}
	}
}

// Sentences that were wrong once: each of them sent an owner the wrong way.
func TestNoPageSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, name := range fixes.Names() {
		page, _ := fixes.Lookup(name)
		for _, wrong := range []string{"requests[security]==2.27", "6u141", "only through pyOpenSSL", "speaks TLS 1.0 only", "TLSv1.2</code> ends that", "hange the address to <code>https://api.smsportal.com</code>", "from <code>deploy/"} {
			if strings.Contains(html.UnescapeString(string(page.HTML)), wrong) {
				t.Errorf("%s says %q", name, wrong)
			}
		}
	}
}

// facts are the rows of a page's table of versions, without its head.
func facts(t *testing.T, page string) []string {
	t.Helper()
	text, err := os.ReadFile(page + ".md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, marked := strings.Cut(string(text), "<!-- facts -->\n")
	table, _, closed := strings.Cut(rest, "<!-- end of facts -->")
	rows, headed := strings.CutPrefix(table, "| versions | TLS 1.2 | how we know |\n|---|---|---|\n")
	if marked && (!closed || !headed || rows == "") {
		t.Errorf("%s: end %t, head %t, rows %q", page, closed, headed, rows)
	}
	return slices.Collect(strings.Lines(rows))
}

// Each row says of some versions whether they have TLS 1.2, how that was checked,
// and where to read it: such a program was run and its hello recorded, it is in the
// program's source, or its maker says so.
func TestFactsHaveSources(t *testing.T) {
	t.Parallel()
	row := regexp.MustCompile(`^\| [^|]+ \| [^|]+ \| \[(tested|read in its source|documented)\]\((\S+)\) \|\n$`)
	for _, name := range fixes.Names() {
		for _, f := range facts(t, name) {
			m := row.FindStringSubmatch(f)
			if m == nil {
				t.Errorf("%s: %s", name, f)
				continue
			}
			if u, err := url.Parse(m[2]); err != nil || u.Host == "" {
				t.Errorf("%s: %s", name, f)
			}
		}
	}
}

// Each page has a title and says where to point the client, and the renderer
// leaves no mark of Markdown behind.
func TestPages(t *testing.T) {
	t.Parallel()
	tags := regexp.MustCompile(`<[^>]*>`)
	known := regexp.MustCompile(`^</?(h2|p|ul|ol|ol start="[2-9]"|li|em|strong|code|pre|pre tabindex="0"|div|div class="scroll" tabindex="0"|table|thead|tbody|tr|td|th|th scope="col"|a|a href="[^"]*")>$`)
	names := fixes.Names()
	if len(names) < 28 {
		t.Fatalf("only %d pages: %v", len(names), names)
	}
	for _, name := range names {
		p, ok := fixes.Lookup(name)
		if !ok || p.Title == "" {
			t.Errorf("%s: no title", name)
		}
		for _, tag := range tags.FindAllString(string(p.HTML), -1) {
			if !known.MatchString(tag) {
				t.Errorf("%s: tag %s", name, tag)
			}
		}
		for _, pair := range []string{"p", "ul", "ol", "li", "code", "table", "thead", "tbody", "td", "th", "tr"} {
			open := strings.Count(string(p.HTML), "<"+pair+">") + strings.Count(string(p.HTML), "<"+pair+" ")
			if closed := strings.Count(string(p.HTML), "</"+pair+">"); open != closed {
				t.Errorf("%s: %d <%s> and %d </%s>", name, open, pair, closed, pair)
			}
		}
		for _, link := range regexp.MustCompile(`href="([^"#]*)`).FindAllStringSubmatch(string(p.HTML), -1) {
			page, own := strings.CutPrefix(link[1], "/fixes/")
			if _, found := fixes.Lookup(page); !own || !found {
				t.Errorf("%s links to %q", name, link[1])
			}
		}
		prose := html.UnescapeString(tags.ReplaceAllString(regexp.MustCompile(`(?s)<(code|pre)[^>]*>.*?</(code|pre)>`).ReplaceAllString(string(p.HTML), ""), ""))
		if strings.ContainsAny(prose, "`|#") || strings.Contains(prose, "**") {
			t.Errorf("%s: Markdown is left in %q", name, prose)
		}
	}
}

func TestLookupStaysInside(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", ".", "..", "../fixes", "java.md", "/etc/passwd", `..\x`, "nothing"} {
		if _, ok := fixes.Lookup(name); ok {
			t.Errorf("%q was found", name)
		}
	}
}

// A client that is migrated has nothing left to change: it leaves tlslift, if it
// still calls through it.
func TestAMigratedClientHasNothingToChange(t *testing.T) {
	t.Parallel()
	for _, obstacle := range []fixes.Obstacle{"plaintext", "legacy-only"} {
		if fix := fixes.For(fixes.Client{Obstacle: obstacle, Library: "Java 6 or older", Migrated: true}); fix.Sentence != "" || fix.Key != "" || fix.Pages != nil {
			t.Errorf("%s: %+v", obstacle, fix)
		}
	}
	for declared, want := range map[bool]string{false: "Remove its proxy setting. Then tell the operator of tlslift, who declares it migrated.", true: "Remove its proxy setting."} {
		if fix := fixes.For(fixes.Client{Obstacle: "names-wrong-host", Migrated: true, Declared: declared}); fix.Key != "names-wrong-host" {
			t.Errorf("a wrong name stands though the client is migrated: %+v", fix)
		}
		fix := fixes.For(fixes.Client{Obstacle: "capable", Program: "PHP SOAP", Settings: []string{"proxy"}, Migrated: true, Declared: declared})
		if fix.Sentence != want || !slices.Equal(fix.Pages, []string{"drop-the-proxy"}) {
			t.Errorf("capable, declared %t: %+v", declared, fix)
		}
		if fix = fixes.For(fixes.Client{Obstacle: "capable", Migrated: true, Declared: true}); fix.Sentence != "Let it use the API's https addresses without tlslift." {
			t.Errorf("over a fleet: %+v", fix)
		}
	}
}

// What a client offers is said exactly where it is known. Of one that has offered
// TLS 1.2 too, it is said of a part alone.
func TestTheVersionIsTheClients(t *testing.T) {
	t.Parallel()
	for offered, want := range map[[2]string]string{
		{"ssl3", "ssl3"}: "It offers at most SSL 3.0", {"1.0", "1.0"}: "It offers at most TLS 1.0", {"1.1", "1.1"}: "It offers at most TLS 1.1",
		{"1.0", ""}: "It offers at most TLS 1.0", {"", ""}: "It offers at most TLS 1.1",
		{"1.3", "1.0"}: "Part of it offers at most TLS 1.0", {"1.2", ""}: "Part of it offers at most TLS 1.1",
	} {
		for _, o := range []fixes.Obstacle{"legacy-only", fixes.NoCA} {
			if fix := fixes.For(fixes.Client{Obstacle: o, Offered: offered[0], OldOffered: offered[1]}); !strings.HasPrefix(fix.Sentence, want) {
				t.Errorf("%s, offered %q: %s", o, offered, fix.Sentence)
			}
		}
	}
}

// A client that offers TLS 1.2 alone is shown tlslift's certificate because the
// operator said so, and not for what is to change in it.
func TestATerminatedClientThatOffersTLS12(t *testing.T) {
	t.Parallel()
	const old, listed = "or change the client to TLS 1.2.", "or have the operator of tlslift remove it from legacy_tls.terminate_clients."
	for offered, want := range map[[2]string]string{
		{"", ""}: old, {"1.0", ""}: old, {"1.1", "1.1"}: old, {"1.2", "1.0"}: old, {"1.2", ""}: listed, {"1.3", ""}: listed,
	} {
		for _, c := range []fixes.Client{{Obstacle: fixes.DistrustsCA}, {Obstacle: fixes.DistrustsCA, Silent: true}, {Obstacle: fixes.HungUpHere}} {
			c.Offered, c.OldOffered = offered[0], offered[1]
			if fix := fixes.For(c); !strings.HasSuffix(fix.Sentence, "install the CA where it looks, "+want) {
				t.Errorf("%+v: %s", c, fix.Sentence)
			}
		}
	}
}

// Each address to call is one that the page of http-to-https changes to.
func TestAddressesAreThePages(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("http-to-https.md")
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{
		"www.mymobileapi.com": "https://api.smsportal.com", "mymobileapi.com": "https://api.smsportal.com", "legacy.mymobileapi.com": "https://api.smsportal.com",
		"api.smsportal.com": "https://api.smsportal.com", "rest.mymobileapi.com": "https://rest.smsportal.com", "rest.smsportal.com": "https://rest.smsportal.com",
	} {
		if got := fixes.Address(host); got != want || !strings.Contains(string(page), want+"/") {
			t.Errorf("%s: %s, want %s, which the page has", host, got, want)
		}
	}
	if got := fixes.Address("sms.example.net"); got != "https://sms.example.net" {
		t.Errorf("another host: %s", got)
	}
}
