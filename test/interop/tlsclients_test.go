package interop

import (
	"fmt"
	"path/filepath"
	"strings"
)

// tlsClient is one real caller in one guise, of which the matrix of
// docs/old-clients.md has a line.
type tlsClient struct {
	name      string
	tools     []string               // what must be installed
	check     string                 // further requirement: a command that must succeed
	tls       string                 // what TLSLIFT_TLS says; see tlsclients/README.md
	version   string                 // that is negotiated, as the log spells it
	framing   string                 // of the hello; "" = tls
	sni       string                 // yes, no
	library   string                 // that tlslift must guess
	raw       bool                   // has no HTTP of its own: says and hears it byte by byte
	piped     bool                   // knows no proxies: another does the CONNECT
	proxyOnly bool                   // comes by CONNECT alone
	shows     string                 // what its output must hold; "" = every answer of the exchange and nothing else
	command   func(tlsCall) []string // makes the exchange
	env       func(tlsCall) []string // beside that of every client
	leaves    bool                   // it distrusts without a word
	fails     string                 // the reason that is counted when it cannot get in
	why       string                 // it cannot, for the table
	helps     string                 // what lets it in nevertheless; "" = nothing here
}

// tlsCall is where a client is to make its exchange.
type tlsCall struct {
	dir   string // of the test's: everything that was prepared
	base  string // https://host[:port]
	host  string
	port  string // of the host; "443" by CONNECT
	proxy string // host:port for CONNECT; "" = directly
	root  string // PEM file of the root to trust
}

// own is the directory of the client programs.
const own = "tlsclients"

var (
	openssl3 = "OpenSSL 1.1.0 or later"
	gnutls3  = "GnuTLS 3.x"
	nss3     = "NSS 3.15.1 or later"
	java17   = "Java 8u261, 9 or later"
	mono6    = "Mono 5 or later (BoringSSL)"
	openssl1 = "OpenSSL 1.0.x"
)

// oldTLSClients are the lines of the matrix.
func oldTLSClients() []tlsClient {
	all := []tlsClient{
		{name: "curl", tools: []string{"curl"}, tls: "1.0", library: openssl3, command: curlTLS("--tlsv1.0", "--tls-max", "1.0")},
		{name: "curl, HTTP/1.0", tools: []string{"curl"}, tls: "1.0", library: openssl3, command: curlTLS("--tlsv1.0", "--tls-max", "1.0", "--http1.0")},
		{name: "curl", tools: []string{"curl"}, tls: "1.1", library: openssl3, command: curlTLS("--tlsv1.1", "--tls-max", "1.1")},
		{name: "curl, ECDSA certificates alone", tools: []string{"curl"}, tls: "1.0", library: openssl3, command: curlSuites("ECDHE-ECDSA-AES128-SHA")},
		{name: "curl, ECDHE with RSA certificates alone", tools: []string{"curl"}, tls: "1.0", library: openssl3, command: curlSuites("ECDHE-RSA-AES128-SHA")},
		{name: "openssl s_client", tools: []string{"openssl"}, tls: "1.0", library: openssl3, raw: true, command: sClient("-tls1")},
		{name: "openssl s_client", tools: []string{"openssl"}, tls: "1.1", library: openssl3, raw: true, command: sClient("-tls1_1")},
		{name: "openssl s_client, no server name", tools: []string{"openssl"}, tls: "1.0", sni: "no", library: openssl3, raw: true, command: sClient("-tls1", "-noservername")},
		{name: "openssl s_client, server name with a dot", tools: []string{"openssl"}, tls: "1.0", library: openssl3, raw: true, command: sClient("-tls1", "-servername", tlsHost+".")},
		{name: "openssl s_client, server name \"localhost\"", tools: []string{"openssl"}, tls: "1.0", library: openssl3, raw: true, command: sClient("-tls1", "-servername", "localhost")},
		{name: "gnutls-cli", tools: []string{"gnutls-cli"}, tls: "1.0", library: gnutls3, raw: true, piped: true, command: gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.0")},
		{name: "gnutls-cli", tools: []string{"gnutls-cli"}, tls: "1.1", library: gnutls3, raw: true, piped: true, command: gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.1")},
		{name: "gnutls-cli, RC4 alone", tools: []string{"gnutls-cli"}, tls: "1.0", library: gnutls3, raw: true, piped: true, command: gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.0:-CIPHER-ALL:+ARCFOUR-128:-KX-ALL:+RSA")},
		{name: "gnutls-cli, 3DES alone", tools: []string{"gnutls-cli"}, tls: "1.0", library: gnutls3, raw: true, piped: true, command: gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.0:-CIPHER-ALL:+3DES-CBC")},
		{name: "gnutls-cli, no extensions", tools: []string{"gnutls-cli"}, tls: "1.0", sni: "no", library: gnutls3, raw: true, piped: true, command: gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.0:%NO_EXTENSIONS")},
		{name: "wget", tools: []string{"wget"}, tls: "1.0", library: gnutls3, command: wgetTLS("NORMAL:-VERS-ALL:+VERS-TLS1.0")},
		{name: "wget", tools: []string{"wget"}, tls: "1.1", library: gnutls3, command: wgetTLS("NORMAL:-VERS-ALL:+VERS-TLS1.1")},
		{name: "NSS tstclnt", tools: []string{"tstclnt", "certutil"}, tls: "1.0", library: nss3, raw: true, piped: true, command: tstclnt("-V", "tls1.0:tls1.0")},
		{name: "NSS tstclnt", tools: []string{"tstclnt", "certutil"}, tls: "1.1", library: nss3, raw: true, piped: true, command: tstclnt("-V", "tls1.1:tls1.1")},
		{name: "NSS tstclnt, 3DES alone", tools: []string{"tstclnt", "certutil"}, tls: "1.0", library: nss3, raw: true, piped: true, command: tstclnt("-V", "tls1.0:tls1.0", "-c", ":000a")},
		{name: "NSS tstclnt, RC4 alone", tools: []string{"tstclnt", "certutil"}, tls: "1.0", library: nss3, raw: true, piped: true, command: tstclnt("-V", "tls1.0:tls1.0", "-c", ":0005")},
		{name: "Java 17", tools: []string{"java", "javac"}, tls: "1.0", library: java17, command: javaURL("TLSv1")},
		{name: "Java 17", tools: []string{"java", "javac"}, tls: "1.1", library: java17, command: javaURL("TLSv1.1")},
		{name: "Java 17 SSLSocket, no server name", tools: []string{"java", "javac"}, tls: "1.0", sni: "no", library: java17, command: javaSocket("TLSv1")},
		{name: "Java 17 SSLSocket, SSLv2Hello and TLSv1", tools: []string{"java", "javac"}, tls: "1.0", framing: "sslv2", sni: "no", library: java17, command: javaSocket("SSLv2Hello,TLSv1")},
		{name: "PHP curl", tools: []string{"php"}, check: phpCurl, tls: "1.0", library: openssl3, command: runs("php", "curl.php")},
		{name: "PHP curl", tools: []string{"php"}, check: phpCurl, tls: "1.1", library: openssl3, command: runs("php", "curl.php")},
		{name: "PHP streams", tools: []string{"php"}, tls: "1.0", library: openssl3, command: runs("php", "streams.php")},
		{name: "PHP streams", tools: []string{"php"}, tls: "1.1", library: openssl3, command: runs("php", "streams.php")},
		{name: "Python urllib", tools: []string{"python3"}, tls: "1.0", library: openssl3, command: runs("python3", "client.py")},
		{name: "Python urllib", tools: []string{"python3"}, tls: "1.1", library: openssl3, command: runs("python3", "client.py")},
		{name: "Perl LWP", tools: []string{"perl"}, check: perlTLS, tls: "1.0", library: openssl3, command: runs("perl", "client.pl")},
		{name: "Perl LWP", tools: []string{"perl"}, check: perlTLS, tls: "1.1", library: openssl3, command: runs("perl", "client.pl")},
		{name: "Ruby Net::HTTP", tools: []string{"ruby"}, tls: "1.0", library: openssl3, command: runs("ruby", "client.rb")},
		{name: "Ruby Net::HTTP", tools: []string{"ruby"}, tls: "1.1", library: openssl3, command: runs("ruby", "client.rb")},
		{name: "Mono HttpWebRequest", tools: []string{"mono", "mcs"}, tls: "1.0", library: mono6, command: monoTLS, env: monoHome},
		{name: "Mono HttpWebRequest", tools: []string{"mono", "mcs"}, tls: "1.1", library: mono6, command: monoTLS, env: monoHome},
		{name: "node 0.12", tools: []string{nodeTool}, tls: "1.0", library: openssl1, command: nodeTLS()},
		{name: "node 0.12, SSL 2.0 framed hello", tools: []string{nodeTool}, tls: "sslv2", version: "1.0", framing: "sslv2", sni: "no", library: openssl1, command: nodeTLS("--enable-ssl2", "--enable-ssl3")},
	}
	for i := range all {
		all[i].defaults()
	}
	return all
}

// content judges what the client has printed.
func (c *tlsClient) content(output string) bool {
	if c.shows != "" {
		return strings.Contains(output, c.shows)
	}
	return output == exchanged()
}

func (c *tlsClient) defaults() {
	if c.version == "" {
		c.version = c.tls
	}
	if c.framing == "" {
		c.framing = "tls"
	}
	if c.sni == "" {
		c.sni = "yes"
	}
}

// modernTLSClients do what they do by themselves.
func modernTLSClients() []tlsClient {
	return []tlsClient{
		{name: "curl", tools: []string{"curl"}, library: openssl3, command: curlTLS()},
		{name: "wget", tools: []string{"wget"}, library: gnutls3, command: wgetTLS("")},
		{name: "Java 17", tools: []string{"java", "javac"}, library: java17, command: javaURL("")},
		{name: "PHP curl", tools: []string{"php"}, check: phpCurl, library: openssl3, command: runs("php", "curl.php")},
		{name: "PHP streams", tools: []string{"php"}, library: openssl3, command: runs("php", "streams.php")},
		{name: "Python urllib", tools: []string{"python3"}, library: openssl3, command: runs("python3", "client.py")},
		{name: "Perl LWP", tools: []string{"perl"}, check: perlTLS, library: openssl3, command: runs("perl", "client.pl")},
		{name: "Ruby Net::HTTP", tools: []string{"ruby"}, library: openssl3, command: runs("ruby", "client.rb")},
		{name: "Mono HttpWebRequest", tools: []string{"mono", "mcs"}, library: mono6, command: monoTLS, env: monoHome},
		{name: "node 0.12", tools: []string{nodeTool}, library: openssl1, command: nodeTLS()},
		{name: "Chromium", tools: []string{"chromium"}, library: "BoringSSL Chromium and its kin", proxyOnly: true, shows: echo("GET", "/exchange/get", ""), command: chromium, env: monoHome},
	}
}

// distrustingModernClients are given a root that is not the upstream's.
func distrustingModernClients() []tlsClient {
	return []tlsClient{
		{name: "Java 17", tools: []string{"java", "javac"}, command: javaURL("")},
		{name: "wget", tools: []string{"wget"}, command: wgetTLS(""), leaves: true},
		{name: "curl", tools: []string{"curl"}, command: curlTLS()},
		{name: "Python urllib", tools: []string{"python3"}, command: runs("python3", "client.py")},
		{name: "Perl LWP", tools: []string{"perl"}, check: perlTLS, command: runs("perl", "client.pl")},
		{name: "node", tools: []string{"node"}, command: runs("node", "client.js"), leaves: true},
		{name: "PHP curl", tools: []string{"php"}, check: phpCurl, command: runs("php", "curl.php")},
		{name: "PHP streams", tools: []string{"php"}, command: runs("php", "streams.php")},
		{name: "Go", tools: []string{"go"}, command: func(c tlsCall) []string { return []string{"go", "run", filepath.Join(own, "client.go"), c.base} }},
		{name: "Ruby Net::HTTP", tools: []string{"ruby"}, command: runs("ruby", "client.rb")},
		{name: "gnutls-cli", tools: []string{"gnutls-cli"}, raw: true, piped: true, command: gnutls("NORMAL")},
	}
}

// hopelessTLSClients are those that no configuration, or only another one, lets
// in. What is upgraded is always the better cure.
func hopelessTLSClients() []tlsClient {
	nodeTools, curlTools, gnutlsTools := []string{nodeTool}, []string{"curl"}, []string{"gnutls-cli"}
	const plain, rc4 = "let it call `http://` through tlslift", "`legacy_tls.rc4: true`"
	const lacks = "Go's crypto/tls has no "
	all := []tlsClient{
		{name: "NSS tstclnt, SSL 3.0 alone", tools: []string{"tstclnt", "certutil"}, raw: true, piped: true, command: tstclnt("-V", "ssl3:ssl3"), fails: "version", why: "SSL 3.0 is broken (POODLE, RFC 7568)", helps: plain},
		{name: "node 0.12, SSL 3.0 alone", tools: nodeTools, tls: "ssl3", command: nodeTLS("--enable-ssl3"), fails: "version", why: "SSL 3.0 is broken (POODLE, RFC 7568)", helps: plain},
		{name: "node 0.12, SSL 2.0 alone", tools: nodeTools, tls: "ssl2", command: nodeTLS("--enable-ssl2"), fails: "version", why: "SSL 2.0 is broken (RFC 6176)", helps: plain},
		{name: "gnutls-cli, DHE alone", tools: gnutlsTools, raw: true, piped: true, command: gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.0:-KX-ALL:+DHE-RSA"), fails: "no_shared_cipher", why: lacks + "DHE", helps: plain},
		{name: "curl, DHE alone", tools: curlTools, command: curlSuites("DHE-RSA-AES256-SHA:DHE-RSA-AES128-SHA"), fails: "no_shared_cipher", why: lacks + "DHE", helps: plain},
		{name: "node 0.12, EXPORT alone", tools: nodeTools, tls: "1.0", command: nodeSuites("EXP"), fails: "no_shared_cipher", why: "40-bit keys can be tried out (FREAK)", helps: plain},
		{name: "node 0.12, DES alone", tools: nodeTools, tls: "1.0", command: nodeSuites("DES-CBC-SHA"), fails: "no_shared_cipher", why: "56-bit keys can be tried out", helps: plain},
		{name: "node 0.12, RC4 with MD5 alone", tools: nodeTools, tls: "1.0", command: nodeSuites("RC4-MD5"), fails: "no_shared_cipher", why: lacks + "RC4 with MD5", helps: plain},
		{name: "node 0.12, RC4 with SHA alone", tools: nodeTools, tls: "1.0", command: nodeSuites("RC4-SHA"), fails: "no_shared_cipher", why: "RC4 is prohibited (RFC 7465)", helps: rc4},
		{name: "node 0.12, Camellia, SEED or IDEA alone", tools: nodeTools, tls: "1.0", command: nodeSuites("CAMELLIA128-SHA:SEED-SHA:IDEA-CBC-SHA"), fails: "no_shared_cipher", why: lacks + "such ciphers", helps: plain},
		{name: "curl, anonymous alone", tools: curlTools, command: curlSuites("ADH-AES128-SHA:AECDH-AES128-SHA"), fails: "no_shared_cipher", why: "the client cannot know which server it talks to", helps: plain},
	}
	for i := range all {
		all[i].defaults()
	}
	return all
}

func curlSuites(suites string) func(tlsCall) []string {
	return func(c tlsCall) []string {
		arguments := curlTLS("--tlsv1.0", "--tls-max", "1.0")(c)
		for i, a := range arguments {
			arguments[i] = strings.Replace(a, "ALL:", suites+":", 1)
		}
		return arguments
	}
}

func nodeSuites(suites string) func(tlsCall) []string {
	return func(c tlsCall) []string { return append([]string{"env", "TLSLIFT_CIPHERS=" + suites}, nodeTLS()(c)...) }
}

// distrustingTLSClients are given a root that is not tlslift's.
func distrustingTLSClients() []tlsClient {
	var all []tlsClient
	for _, c := range oldTLSClients() {
		if c.tls == "1.0" && !strings.Contains(c.name, ",") {
			all = append(all, c)
		}
	}
	return all
}

// chromium prints the page it was shown.
func chromium(c tlsCall) []string {
	return []string{
		"chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--user-data-dir=" + filepath.Join(c.dir, "chromium"), "--proxy-server=http://" + c.proxy, "--dump-dom", c.base + "/exchange/get",
	}
}

// Requirements beside the programs themselves.
const (
	phpCurl = `php -r 'exit(extension_loaded("curl") ? 0 : 1);'`
	perlTLS = "perl -MLWP::UserAgent -MLWP::Protocol::https -e 1"
)

func curlTLS(options ...string) func(tlsCall) []string {
	return func(c tlsCall) []string {
		common := append([]string{"-sS", "--fail", "--cacert", c.root}, options...)
		if len(options) > 0 {
			common = append(common, "--ciphers", "ALL:@SECLEVEL=0")
		}
		if c.proxy != "" {
			common = append(common, "-x", "http://"+c.proxy)
		}
		arguments := append([]string{"curl"}, common...)
		for i, more := range [][]string{
			{c.base + "/exchange/get"},
			{"--data-binary", exchangeBody, c.base + "/exchange/post"},
			{c.base + fmt.Sprintf("/exchange/kept/[0-%d]", exchangeKept-1), c.base + "/large"},
		} {
			if i > 0 {
				arguments = append(append(arguments, "--next"), common...)
			}
			arguments = append(arguments, more...)
		}
		return arguments
	}
}

func sClient(options ...string) func(tlsCall) []string {
	return func(c tlsCall) []string {
		arguments := []string{
			"openssl", "s_client", "-quiet", "-cipher", "ALL:@SECLEVEL=0", "-CAfile", c.root, "-verify_return_error", "-verify_hostname", c.host,
			"-connect", c.host + ":" + c.port,
		}
		if c.proxy != "" {
			arguments = append(arguments, "-proxy", c.proxy)
		}
		return append(arguments, options...)
	}
}

func gnutls(priority string) func(tlsCall) []string {
	return func(c tlsCall) []string {
		return []string{"gnutls-cli", "--logfile", filepath.Join(c.dir, "gnutls.log"), "--priority", priority, "--x509cafile", c.root, "-p", c.port, c.host}
	}
}

func wgetTLS(priority string) func(tlsCall) []string {
	return func(c tlsCall) []string {
		arguments := []string{"env", "https_proxy=" + prefixed("http://", c.proxy), "wget", "-q", "--tries=1", "-O", "-", "--ca-certificate=" + c.root}
		if priority != "" {
			arguments = append(arguments, "--ciphers="+priority)
		}
		get := append(arguments, c.base+"/exchange/get")
		post := append(append([]string(nil), arguments...), "--post-data="+exchangeBody, c.base+"/exchange/post")
		rest := append([]string(nil), arguments...)
		for i := range exchangeKept {
			rest = append(rest, c.base+"/exchange/kept/"+fmt.Sprint(i))
		}
		return []string{"sh", "-c", quote(get) + " && " + quote(post) + " && " + quote(append(rest, c.base+"/large"))}
	}
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func tstclnt(options ...string) func(tlsCall) []string {
	return func(c tlsCall) []string {
		return append([]string{"tstclnt", "-4", "-h", c.host, "-p", c.port, "-d", "sql:" + filepath.Join(c.dir, "nss"), "-A", filepath.Join(c.dir, "request-"+c.port)}, options...)
	}
}

func javaTLS(c tlsCall, options ...string) []string {
	arguments := append([]string{"java", "-XX:TieredStopAtLevel=1", "-Xshare:auto"}, options...)
	return append(arguments, "-Djavax.net.ssl.trustStore="+filepath.Join(c.dir, "root.p12"), "-Djavax.net.ssl.trustStoreType=PKCS12",
		"-Djavax.net.ssl.trustStorePassword=changeit", "-cp", c.dir, "Client", c.base)
}

// revived allows Java 17 what Java 6 and 7 were allowed.
func revived(c tlsCall) string {
	return "-Djava.security.properties=" + filepath.Join(c.dir, "java.security")
}

func javaURL(protocol string) func(tlsCall) []string {
	return func(c tlsCall) []string {
		options := []string{}
		if protocol != "" {
			options = append(options, revived(c), "-Dhttps.protocols="+protocol)
		}
		if c.proxy != "" {
			host, port := hostPort(c.proxy)
			options = append(options, "-Dhttps.proxyHost="+host, "-Dhttps.proxyPort="+port)
		}
		return javaTLS(c, options...)
	}
}

func javaSocket(protocols string) func(tlsCall) []string {
	return func(c tlsCall) []string { return append(javaTLS(c, revived(c)), protocols) }
}

func runs(runtime, file string) func(tlsCall) []string {
	return func(c tlsCall) []string { return []string{runtime, filepath.Join(own, file), c.base} }
}

func monoTLS(c tlsCall) []string { return []string{"mono", filepath.Join(c.dir, "client.exe"), c.base} }

// monoHome is a home whose trust store has the root; see layOut.
func monoHome(c tlsCall) []string {
	return []string{"HOME=" + filepath.Join(c.dir, "home"), "XDG_CONFIG_HOME=", "MONO_TLS_PROVIDER=btls"}
}

func nodeTLS(options ...string) func(tlsCall) []string {
	return func(c tlsCall) []string {
		program, _ := findTool(nodeTool)
		return append(append([]string{program}, options...), filepath.Join(own, "client.js"), c.base)
	}
}
