package call

import (
	"bytes"
	"strings"
)

// Family is the kind of program that a User-Agent names: a closed set, so
// nothing that a caller invents becomes a label or a line on a page.
type Family uint8

// The families. Old runtimes are distinguished where they need different
// changes.
const (
	FamilyNone Family = iota // no User-Agent at all: PHP, .NET, Oracle, raw sockets
	FamilyOther
	FamilyJava6
	FamilyJava7
	FamilyJava8
	FamilyJava
	FamilyJAXWS
	FamilyAxis
	FamilyAxis2
	FamilyCXF
	FamilyCommonsHTTP
	FamilyApacheHTTP
	FamilyNet1
	FamilyNet2
	FamilyNet4
	FamilyNet
	FamilyPHPSOAP
	FamilyPHP
	FamilyLWP
	FamilySOAPLite
	FamilyPerl
	FamilyCurlOld
	FamilyCurl
	FamilyWget
	FamilySynapse
	FamilyIndy
	FamilyDelphi
	FamilyWinHTTP
	FamilyMSXML
	FamilyWinINet
	FamilyPythonUrllib
	FamilyPythonRequests
	FamilyPython
	FamilyRuby
	FamilyNode
	FamilyGo
	FamilyColdFusion
	FamilyPowerShell
	FamilySAP
	FamilyOracle
	FamilyNotes
	FamilyHTTPAPI
	FamilyAndroid
	FamilyBrowser
	NumFamilies Family = iota // how many there are
)

var familyNames = [NumFamilies]string{
	FamilyNone: "none", FamilyOther: "other",
	FamilyJava6: "Java 6 or older", FamilyJava7: "Java 7", FamilyJava8: "Java 8", FamilyJava: "Java",
	FamilyJAXWS: "JAX-WS", FamilyAxis: "Axis 1", FamilyAxis2: "Axis2", FamilyCXF: "Apache CXF",
	FamilyCommonsHTTP: "Commons HttpClient 3", FamilyApacheHTTP: "Apache HttpClient",
	FamilyNet1: ".NET 1", FamilyNet2: ".NET 2-3.5", FamilyNet4: ".NET 4", FamilyNet: ".NET",
	FamilyPHPSOAP: "PHP SOAP", FamilyPHP: "PHP",
	FamilyLWP: "Perl LWP", FamilySOAPLite: "Perl SOAP::Lite", FamilyPerl: "Perl",
	FamilyCurlOld: "curl before 7.34", FamilyCurl: "curl", FamilyWget: "Wget",
	FamilySynapse: "Synapse", FamilyIndy: "Indy", FamilyDelphi: "Delphi",
	FamilyWinHTTP: "WinHTTP", FamilyMSXML: "MSXML", FamilyWinINet: "WinINet",
	FamilyPythonUrllib: "Python urllib", FamilyPythonRequests: "Python requests", FamilyPython: "Python",
	FamilyRuby: "Ruby", FamilyNode: "Node.js", FamilyGo: "Go", FamilyColdFusion: "ColdFusion",
	FamilySAP: "SAP NetWeaver", FamilyOracle: "Oracle UTL_HTTP", FamilyNotes: "Lotus Notes", FamilyHTTPAPI: "IBM i HTTPAPI",
	FamilyPowerShell: "PowerShell", FamilyAndroid: "Android", FamilyBrowser: "browser",
}

func (f Family) String() string {
	if f < NumFamilies {
		return familyNames[f]
	}
	return familyNames[FamilyOther]
}

// Runtime returns what programs of the family run on, or "" for anything. One program
// may show several families of the same runtime: Axis fetches a WSDL as Java.
func (f Family) Runtime() string {
	switch f {
	case FamilyNone, FamilyOther, FamilyBrowser:
		return ""
	case FamilyJava6, FamilyJava7, FamilyJava8, FamilyJava, FamilyJAXWS, FamilyAxis, FamilyAxis2, FamilyCXF,
		FamilyCommonsHTTP, FamilyApacheHTTP, FamilyColdFusion, FamilyAndroid:
		return "Java"
	case FamilyNet1, FamilyNet2, FamilyNet4, FamilyNet, FamilyPowerShell:
		return ".NET"
	case FamilyPHPSOAP, FamilyPHP:
		return "PHP"
	case FamilyLWP, FamilySOAPLite, FamilyPerl:
		return "Perl"
	case FamilyCurlOld, FamilyCurl:
		return "curl"
	case FamilySynapse, FamilyIndy, FamilyDelphi:
		return "Delphi"
	case FamilyWinHTTP, FamilyMSXML, FamilyWinINet:
		return "Windows"
	case FamilyPythonUrllib, FamilyPythonRequests, FamilyPython:
		return "Python"
	default:
		return f.String()
	}
}

// ParseFamily is the inverse of String, for stored values. An unknown name is
// FamilyOther.
func ParseFamily(name string) Family {
	for f, n := range familyNames {
		if n == name {
			return Family(f)
		}
	}
	return FamilyOther
}

// prefixes maps how a User-Agent begins, ignoring case, to a family. The first match
// wins, so longer prefixes come first.
var prefixes = []struct {
	text   string
	family Family
}{
	{"java/1.8", FamilyJava8},
	{"java/1.7", FamilyJava7},
	{"java/1.", FamilyJava6},
	{"java1.", FamilyJava6},
	{"java/", FamilyJava},
	{"jax-ws", FamilyJAXWS},
	{"metro/", FamilyJAXWS},
	{"axis/", FamilyAxis},
	{"axis2", FamilyAxis2},
	{"apache-cxf", FamilyCXF},
	{"apache cxf", FamilyCXF},
	{"jakarta commons-httpclient", FamilyCommonsHTTP},
	{"commons-httpclient", FamilyCommonsHTTP},
	{"apache-httpclient", FamilyApacheHTTP}, // refined by its Java
	{"apache-httpasyncclient", FamilyApacheHTTP},
	{"okhttp/", FamilyJava},
	{"unirest-java/", FamilyJava},
	{"php-soap", FamilyPHPSOAP},
	{"nusoap", FamilyPHPSOAP},
	{"php", FamilyPHP},
	{"guzzle", FamilyPHP},
	{"wordpress/", FamilyPHP},
	{"drupal", FamilyPHP},
	{"zend_http_client", FamilyPHP},
	{"libwww-perl", FamilyLWP},
	{"lwp", FamilyLWP},
	{"soap::lite", FamilySOAPLite},
	{"http-tiny/", FamilyPerl},
	{"mojolicious", FamilyPerl},
	{"curl/", FamilyCurl}, // refined by version
	{"libcurl-agent/", FamilyCurl},
	{"netxms", FamilyCurl},
	{"wget", FamilyWget},
	{"embarcadero", FamilyDelphi},
	{"borland", FamilyDelphi},
	{"codegear", FamilyDelphi},
	{"winhttp", FamilyWinHTTP},
	{"msxml", FamilyMSXML},
	{"python-urllib", FamilyPythonUrllib},
	{"python-requests", FamilyPythonRequests},
	{"python", FamilyPython},
	{"aiohttp", FamilyPython},
	{"suds", FamilyPython},
	{"pycurl", FamilyPython},
	{"ruby", FamilyRuby},
	{"rest-client", FamilyRuby},
	{"faraday", FamilyRuby},
	{"httparty", FamilyRuby},
	{"node", FamilyNode},
	{"axios", FamilyNode},
	{"got (", FamilyNode},
	{"undici", FamilyNode},
	{"go-http-client", FamilyGo},
	{"go 1.1 package http", FamilyGo},
	{"cfschttp", FamilyColdFusion},
	{"cfschedule", FamilyColdFusion},
	{"coldfusion", FamilyColdFusion},
	{"sap netweaver", FamilySAP},
	{"sap web application server", FamilySAP},
	{"utl_http", FamilyOracle},
	{"oracle httpclient", FamilyJava}, // used by Oracle's application servers
	{"rpt-httpclient", FamilyJava},
	{"lotus-notes", FamilyNotes},
	{"lotus notes", FamilyNotes},
	{"domino", FamilyNotes},
	{"http-api/", FamilyHTTPAPI},
	{"dalvik", FamilyAndroid},
	{"restsharp", FamilyNet},
	{"microsoft.data", FamilyNet},
}

// mozillas maps texts inside a User-Agent that claims to be Mozilla, as every stack
// of the nineties does, to a family. Order matters.
var mozillas = []struct {
	text   []byte
	family Family
}{
	{[]byte("ms web services client protocol 1."), FamilyNet1},
	{[]byte("ms web services client protocol 2."), FamilyNet2},
	{[]byte("ms web services client protocol 4."), FamilyNet4},
	{[]byte("ms web services client"), FamilyNet},
	{[]byte("powershell"), FamilyPowerShell},
	{[]byte("synapse"), FamilySynapse},
	{[]byte("indy library"), FamilyIndy},
	{[]byte("winhttp"), FamilyWinHTTP},
	{[]byte("msxml"), FamilyMSXML},
	{[]byte("lotus-notes"), FamilyNotes},
	// Internet Explorer, or a program on WinINet: MSXML2.XMLHTTP in VBA, VB6, Access
	// and Excel. It lists the machine's .NET versions, but is not .NET.
	{[]byte("msie "), FamilyWinINet},
	{[]byte("trident/"), FamilyWinINet},
}

// scanned is how much of a User-Agent is examined, in bytes.
const scanned = 256

// FamilyOf returns the family of a User-Agent.
func FamilyOf(userAgent string) Family {
	ua := strings.TrimLeft(userAgent[:min(len(userAgent), scanned)], " \t")
	if ua == "" {
		return FamilyNone
	}
	if hasPrefixFold(ua, "mozilla/") {
		var buf [scanned]byte
		lower := buf[:copy(buf[:], ua)]
		for i, c := range lower {
			if 'A' <= c && c <= 'Z' {
				lower[i] = c + ('a' - 'A')
			}
		}
		for i := range mozillas {
			if bytes.Contains(lower, mozillas[i].text) {
				return mozillas[i].family
			}
		}
		return FamilyBrowser
	}
	for i := range prefixes {
		if !hasPrefixFold(ua, prefixes[i].text) {
			continue
		}
		switch family := prefixes[i].family; {
		case prefixes[i].text == "curl/":
			return curlFamily(ua[len("curl/"):])
		case family == FamilyApacheHTTP && strings.Contains(ua, "(Java/1.6"):
			return FamilyJava6
		default:
			return family
		}
	}
	return FamilyOther
}

// curlFamily separates the curl versions that cannot be asked for TLS 1.2 (before
// 7.34) from later ones.
func curlFamily(version string) Family {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	switch {
	case len(major) == 1 && major[0] < '7':
		return FamilyCurlOld
	case major == "7" && (len(minor) == 1 || len(minor) == 2 && minor < "34"):
		return FamilyCurlOld
	}
	return FamilyCurl
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
