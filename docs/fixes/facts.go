package fixes

import (
	"fmt"
	"strings"
)

// Sources that stand for several facts.
const (
	srcNodeOrg   = "https://nodejs.org/en/about/previous-releases"
	srcOpenSSL   = "https://www.openssl.org/news/changelog.html"
	srcNETTLS    = "https://learn.microsoft.com/dotnet/framework/network-programming/tls"
	srcSChannel  = "https://learn.microsoft.com/windows/win32/secauthn/protocols-in-tls-ssl--schannel-ssp-"
	srcWinHTTP   = "https://support.microsoft.com/help/3140245"
	srcOracleTLS = "https://blogs.oracle.com/java/post/diagnosing-tls-ssl-and-https"
	srcIBMJava   = "https://www.ibm.com/support/pages/node/687653"
	srcPython    = "https://github.com/python/cpython/blob/v2.7.8/Lib/ssl.py"
	srcRequests  = "https://github.com/psf/requests/blob/main/HISTORY.md"
	srcPHP       = "https://github.com/php/php-src/blob/php-5.3.29/ext/openssl/xp_ssl.c"
	srcSAP       = "https://blogs.sap.com/2021/05/03/commoncryptolib-tls-protocol-versions-and-cipher-suites/"
	srcDomino    = "https://www.ibm.com/support/docview.wss?uid=swg21985289"
	srcIBMi      = "https://www.ibm.com/docs/en/i/7.5.0?topic=settings-protocol-configuration"
	srcAndroid   = "https://developer.android.com/reference/javax/net/ssl/SSLSocket"
)

// facts are the versions behind the pages, by page: each page shows its own, and
// a test holds the two together.
var facts = map[string][]Fact{
	"java": {
		{"Java 8 and later", "on by default", Tested, srcOracleTLS},
		{"Java 7 from 7u131 (paid support)", "on by default", Documented, "https://www.oracle.com/java/technologies/javase/7-support-relnotes.html"},
		{"Java 7 up to 7u80 (the last public one)", "there, off: https.protocols, or code", Documented, srcOracleTLS},
		{"`jdk.tls.client.protocols`", "read by 7u95, 6u121 and later: not by public Java 7 and 6", Documented, srcIBMJava},
		{"Java 6 from 6u121 (paid support)", "there, off", Documented, srcIBMJava},
		{"Java 6 up to 6u45 (the last public one), 5, 1.4", "no; an unknown name in https.protocols breaks the program", Documented, srcOracleTLS},
	},
	"dotnet": {
		{"4.7 and later (targeted)", "what the system offers", Documented, srcNETTLS},
		{"4.6 to 4.6.2 (targeted)", "on", Documented, srcNETTLS},
		{"4.5 to 4.5.2", "there, off: registry or one line of code", Documented, srcNETTLS},
		{"4.0", "with 4.5 or later installed: registry or `(SecurityProtocolType)3072`", Documented, srcNETTLS},
		{"2.0, 3.0, 3.5 SP1", "with KB3154517 to KB3154520 (by Windows version) and the registry, or 3072 in code", Documented, srcNETTLS},
		{"Mono 4.8 and later", "on by default", Tested, "https://www.mono-project.com/docs/about-mono/releases/4.8.0/"},
	},
	"windows": {
		{"Windows 8.1, Server 2012 R2 and later", "on", Documented, srcSChannel},
		{"Windows 8, Server 2012", "in the system; off in WinHTTP and .NET before 4.6", Documented, srcSChannel},
		{"Windows 7 SP1, Server 2008 R2 SP1", "there, off", Documented, srcSChannel},
		{"Server 2008 SP2", "with update KB4019276", Documented, "https://support.microsoft.com/help/4019276"},
		{"XP, Vista, Server 2003", "not there, and nothing switches it on", Documented, srcSChannel},
	},
	"winhttp": {
		{"WinHTTP, `ServerXMLHTTP` on Windows 8.1, Server 2012 R2 and later", "on", Documented, "https://learn.microsoft.com/windows/win32/winhttp/option-flags"},
		{"WinHTTP, `ServerXMLHTTP` on Windows 7, Server 2008 R2, Server 2012", "with KB3140245 and DefaultSecureProtocols", Documented, srcWinHTTP},
		{"XP, Vista, Server 2003, Server 2008", "no", Documented, srcWinHTTP},
	},
	"access-vba": {
		{"`MSXML2.XMLHTTP`, `Microsoft.XMLHTTP` (WinINet)", "by Internet Options of the user: on by default with Internet Explorer 11", Documented, "https://learn.microsoft.com/troubleshoot/developer/browsers/connectivity-navigation/tls-settings"},
		{"`MSXML2.ServerXMLHTTP.6.0`, `WinHttp.WinHttpRequest.5.1` (WinHTTP)", "see [WinHTTP and MSXML](winhttp.md)", Documented, srcWinHTTP},
	},
	"powershell": {
		{"PowerShell 6 and later", "on by default", Documented, "https://learn.microsoft.com/powershell/module/microsoft.powershell.utility/invoke-webrequest"},
		{"Windows PowerShell 3 to 5.1", "there on .NET 4.5 or later: one line in the script, or the registry", Documented, srcNETTLS},
		{"Windows PowerShell 2", "on .NET 2 to 3.5: see [.NET](dotnet.md); better a later PowerShell", Documented, srcNETTLS},
	},
	"php": {
		{"curl functions, libcurl on OpenSSL 1.0.1 or later", "negotiated; can be named from libcurl 7.34", Tested, "https://curl.se/libcurl/c/CURLOPT_SSLVERSION.html"},
		{"`https://` and `ssl://` streams before 5.6", "negotiated with OpenSSL 1.0.1 or later; certificates are not verified", ReadInSource, srcPHP},
		{"`tls://` streams and SOAP_SSL_METHOD_TLS before 5.6", "no: exactly TLS 1.0", ReadInSource, srcPHP},
		{"streams from 5.6", "on, and verified by default", Tested, "https://www.php.net/manual/en/migration56.openssl.php"},
		{"any on OpenSSL 0.9.8 or 1.0.0", "no", Documented, srcOpenSSL},
	},
	"python": {
		{"2.7.9 and later, 3.4 and later", "on, verified, with SNI", Tested, "https://docs.python.org/2.7/library/ssl.html"},
		{"2.6 to 2.7.8", "negotiated with OpenSSL 1.0.1 or later (PROTOCOL_SSLv23); not verified, no SNI, cannot be named", ReadInSource, srcPython},
		{"`requests[security]` up to 2.25.1", "brings pyOpenSSL: verification and SNI", ReadInSource, srcRequests},
		{"`requests[security]` from 2.26.0", "installs nothing more", ReadInSource, srcRequests},
		{"any on OpenSSL 0.9.8 or 1.0.0", "no", Documented, srcOpenSSL},
	},
	"node": {
		{"12 and later", "the lowest version by default", Tested, srcNodeOrg},
		{"0.12 to 10", "on by default", Tested, srcNodeOrg},
		{"0.10", "on by default (OpenSSL 1.0.1)", Documented, srcNodeOrg},
		{"0.8 and older", "no", Documented, srcNodeOrg},
	},
	"curl-openssl": {
		{"OpenSSL 1.1.0 and later", "on by default; the program, `MaxProtocol` in openssl.cnf or the system's policy can limit it", Tested, srcOpenSSL},
		{"OpenSSL 1.0.1, 1.0.2", "on by default, unless the program asks for `TLSv1_method`", Tested, srcOpenSSL},
		{"OpenSSL 0.9.8, 1.0.0", "no", Documented, srcOpenSSL},
	},
	"libraries": {
		{"GnuTLS 2.0 and later", "on by default", Tested, "https://gnutls.org/manual/html_node/Priority-Strings.html"},
		{"NSS 3.15.1 and later", "there", Tested, "https://firefox-source-docs.mozilla.org/security/nss/"},
		{"LibreSSL", "on by default", Documented, "https://www.libressl.org/releases.html"},
		{"Go 1.2 and later", "on by default", Tested, "https://go.dev/doc/go1.2"},
		{"Android 5.0 and later", "on by default", Documented, srcAndroid},
		{"Android 4.1 to 4.4", "there, off: `setEnabledProtocols`", Documented, srcAndroid},
		{"OS X 10.9, iOS 5 and later", "on by default", Documented, "https://support.apple.com/guide/security/tls-security-sec100a75d12/web"},
		{"mbed TLS 2, wolfSSL 3 and later", "on by default", Tested, "https://github.com/Mbed-TLS/mbedtls"},
	},
	"sap": {
		{"CommonCryptoLib 8.4.31 and later", "there; profile parameters choose the versions", Documented, "https://me.sap.com/notes/510007"},
		{"SAPCRYPTOLIB 5.5.5", "no", Documented, srcSAP},
		{"AS ABAP 7.0x, 7.1x", "with a 72x kernel from 720 patch 88 on; 6.40 not at all", Documented, "https://me.sap.com/notes/510007"},
	},
	"oracle-utl-http": {
		{"Oracle Database 12.2 and later", "there; checks that the certificate names the host", Documented, "http://forums.orafaq.com/node/3079"},
		{"12.1 and older", "by the patches installed: ask Oracle Support, or test; does not check the host's name", Documented, "http://forums.orafaq.com/node/3079"},
	},
	"domino": {
		{"Domino 9.0.1 FP3 IF2 and later", "there; Java agents need https.protocols=TLSv1.2", Documented, srcDomino},
		{"Domino 9.0.1 FP8 and later", "Java agents run on Java 8", Documented, "https://workflowstudios.com/domino-java-agents-tls-1-2-a-how-to/"},
		{"NotesHTTPRequest (Domino 10 and later)", "on", Documented, "https://help.hcl-software.com/dom_designer/14.0.0/basic/H_NOTES_HTTPREQUEST_CLASS.html"},
	},
	"coldfusion": {
		{"any ColdFusion on Java 8 or later", "on by default", Documented, "https://www.coldfusionmuse.com/index.cfm/2014/12/8/colfusion-jvm-versions-sslv3-tls"},
		{"any ColdFusion on Java 7", "there, off", Documented, srcOracleTLS},
		{"any ColdFusion on public Java 6", "no", Documented, srcOracleTLS},
	},
	"ibm-i": {
		{"IBM i 7.2 and later", "on by default (QSSLPCL `*OPSYS`)", Documented, srcIBMi},
		{"IBM i 7.1 from TR6", "there, off: QSSLPCL", Documented, "https://developer.ibm.com/articles/i-system-ssl-ibmi/"},
		{"IBM i 6.1 and older", "no", Documented, "https://developer.ibm.com/articles/i-system-ssl-ibmi/"},
	},
	"delphi": {
		{"Indy 10 with OpenSSL 1.0.2 DLLs", "there; the default is TLS 1.0, and nothing is verified", Documented, "https://github.com/IndySockets/Indy/blob/master/Lib/Protocols/IdSSLOpenSSL.pas"},
		{"Synapse with OpenSSL 1.0.1 DLLs or later", "`LT_all` negotiates it", Documented, "http://synapse.ararat.cz"},
		{"`THTTPClient`, `TNetHTTPClient`", "what WinHTTP has", Documented, srcWinHTTP},
	},
	"no-user-agent": {
		{"PHP streams, PHP curl", "send no User-Agent unless one is set", Tested, "https://www.php.net/manual/en/context.http.php"},
		{"Mono, .NET Framework `HttpWebRequest`", "send no User-Agent unless one is set", Tested, "https://learn.microsoft.com/dotnet/api/system.net.httpwebrequest.useragent"},
		{"Oracle UTL_HTTP", "sends none unless the program sets one", Documented, "https://docs.oracle.com/en/database/oracle/oracle-database/19/arpls/UTL_HTTP.html"},
	},
}

// Facts are those that a page shows.
func Facts(page string) []Fact { return facts[page] }

// FactsTable is the table of a page's facts in Markdown.
func FactsTable(page string) string {
	var b strings.Builder
	b.WriteString("| versions | TLS 1.2 | how we know |\n|---|---|---|\n")
	for _, f := range Facts(page) {
		fmt.Fprintf(&b, "| %s | %s | [%s](%s) |\n", f.Versions, f.TLS12, f.Checked, f.Source)
	}
	return b.String()
}
