package call

import "testing"

func TestFamilyOf(t *testing.T) {
	t.Parallel()
	for ua, want := range map[string]Family{
		"":                                     FamilyNone,
		"  ":                                   FamilyNone,
		"Java/1.6.0_45":                        FamilyJava6,
		"Java1.4.2":                            FamilyJava6,
		"Java/1.7.0_80":                        FamilyJava7,
		"Java/1.8.0_202":                       FamilyJava8,
		"Java/17.0.15":                         FamilyJava,
		"JAX-WS RI 2.1.6 in JDK 6":             FamilyJAXWS,
		"Axis/1.4":                             FamilyAxis,
		"Axis2":                                FamilyAxis2,
		"Apache CXF 2.7.3":                     FamilyCXF,
		"Jakarta Commons-HttpClient/3.1":       FamilyCommonsHTTP,
		"Apache-HttpClient/4.5.2 (Java/1.8.0)": FamilyApacheHTTP,
		"Apache-HttpClient/4.5.2 (Java/1.6.0_45)":      FamilyJava6,
		"Apache-HttpAsyncClient/4.1.2 (Java/1.6.0_45)": FamilyJava6,
		"Apache-HttpClient/4.2.1 (java 1.5)":           FamilyApacheHTTP, // which every Java sends
		"okhttp/3.12.1":                                FamilyJava,
		"unirest-java/1.3.11":                          FamilyJava,
		"WordPress/3.9; http://shop.example":           FamilyPHP,
		"Drupal (+http://drupal.org/)":                 FamilyPHP,
		"HTTP-Tiny/0.012":                              FamilyPerl,
		"Mojolicious (Perl)":                           FamilyPerl,
		"PycURL/7.19.0":                                FamilyPython,
		"libcurl-agent/1.0":                            FamilyCurl,
		"NetXMS":                                       FamilyCurl,
		"http-api/1.24":                                FamilyHTTPAPI,
		"Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 1.1.4322.573)":   FamilyNet1,
		"Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 2.0.50727.5420)": FamilyNet2,
		"Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 4.0.30319.1)":    FamilyNet4,
		"Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 5.1; .NET CLR 2.0.50727)":             FamilyWinINet,
		"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)":                    FamilyWinINet,
		"Mozilla/4.0 (compatible; Lotus-Notes/6.0; Windows-NT)":                              FamilyNotes,
		"Mozilla/4.0 (compatible; MSIE 6.0; Synapse)":                                        FamilySynapse,
		"Mozilla/5.0 (Windows NT; en-US) WindowsPowerShell/5.1":                              FamilyPowerShell,
		"PHP-SOAP/5.3.3":       FamilyPHPSOAP,
		"NuSOAP/0.9.5 (1.123)": FamilyPHPSOAP,
		"PHP/5.6":              FamilyPHP,
		"libwww-perl/5.805":    FamilyLWP,
		"SOAP::Lite/Perl/0.69": FamilySOAPLite,
		"curl/7.19.7 (x86_64-redhat-linux-gnu) libcurl/7.19.7": FamilyCurlOld,
		"curl/7.9.8":                             FamilyCurlOld,
		"curl/7.34.0":                            FamilyCurl,
		"curl/8.5.0":                             FamilyCurl,
		"curl/10.0":                              FamilyCurl,
		"curl/6.5":                               FamilyCurlOld,
		"curl/":                                  FamilyCurl,
		"Wget/1.12 (linux-gnu)":                  FamilyWget,
		"Mozilla/4.0 (compatible; Synapse)":      FamilySynapse,
		"Mozilla/3.0 (compatible; Indy Library)": FamilyIndy,
		"Embarcadero URI Client/1.0":             FamilyDelphi,
		"Mozilla/4.0 (compatible; Win32; WinHttp.WinHttpRequest.5)": FamilyWinHTTP,
		"Python-urllib/2.7":     FamilyPythonUrllib,
		"python-requests/2.2.1": FamilyPythonRequests,
		"Ruby":                  FamilyRuby,
		"node-fetch/1.0":        FamilyNode,
		"Go-http-client/1.1":    FamilyGo,
		"CFSCHTTP":              FamilyColdFusion,
		"CFSCHEDULE":            FamilyColdFusion,
		"SAP NetWeaver Application Server (1.0;750)":    FamilySAP,
		"SAP Web Application Server (1.0;640)":          FamilySAP,
		"UTL_HTTP/1.0":                                  FamilyOracle,
		"Lotus-Notes/6.0; Windows-NT":                   FamilyNotes,
		"Oracle HTTPClient Version 10h":                 FamilyJava,
		"Dalvik/1.6.0 (Linux; U; Android 4.4.2)":        FamilyAndroid,
		"Mozilla/5.0 (X11; Linux x86_64) Firefox/120.0": FamilyBrowser,
		"<script>alert(1)</script>":                     FamilyOther,
		"\x00\xff":                                      FamilyOther,
	} {
		if got := FamilyOf(ua); got != want {
			t.Errorf("%q: %s, want %s", ua, got, want)
		}
	}
}

func FuzzFamilyOf(f *testing.F) {
	f.Add("Java/1.6.0_45")
	f.Add("curl/7.")
	f.Add("Mozilla/4.0 (compatible; Indy Library")
	f.Fuzz(func(t *testing.T, ua string) {
		if FamilyOf(ua) >= NumFamilies {
			t.Fatalf("%q has a family outside of the set", ua)
		}
	})
}

func TestFamilyNames(t *testing.T) {
	t.Parallel()
	for f := range NumFamilies {
		if f.String() == "" || ParseFamily(f.String()) != f {
			t.Errorf("family %d: its name %q does not come back", f, f)
		}
	}
}
