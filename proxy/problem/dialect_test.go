package problem

import (
	"strings"
	"testing"

	"tlslift/proxy/host"
)

func TestDialectOf(t *testing.T) {
	t.Parallel()
	const soap12 = "application/soap+xml; charset=utf-8"
	for _, tt := range []struct {
		name string
		h    Hints
		want Dialect
	}{
		{"api5 GET", Hints{Method: "GET", Path: "/api5/http5.aspx"}, API5},
		{"api5 POST", Hints{Method: "POST", Path: "/api5/http5.aspx", ContentType: "application/x-www-form-urlencoded"}, API5},
		{"api5 in capitals", Hints{Path: "/API5/HTTP5.ASPX"}, API5},
		{"api5 with query", Hints{Path: "/api5/http5.aspx?Type=send"}, API5},
		{"api5, question mark forgotten", Hints{Path: "/api5/http5.aspx*"}, API5},
		{"api5, axios", Hints{Path: "/api5/http5.aspx", Accept: "application/json, text/plain, */*"}, API5},
		{"api5, JSON body", Hints{Path: "/api5/http5.aspx", ContentType: "application/json"}, API5},
		{"older api", Hints{Path: "/api3/http3.aspx"}, API5},
		{"api without a number", Hints{Path: "/api/http.aspx"}, API5},
		{"like api5", Hints{Path: "/api5/http5.aspxx"}, Text},
		{"like api5 too", Hints{Path: "/api5/http5a.aspx"}, Text},
		{"below", Hints{Path: "/x/api5/http5.aspx"}, Text},

		{"asmx POST", Hints{Method: "POST", Path: "/api5/api.asmx", ContentType: "text/xml; charset=utf-8", SOAPAction: `"x"`}, SOAP11},
		{"asmx POST without an action", Hints{Method: "POST", Path: "/API5/API.ASMX", ContentType: "text/xml"}, SOAP11},
		{"asmx SOAP 1.2", Hints{Method: "POST", Path: "/api5/api.asmx", ContentType: soap12}, SOAP12},
		{"asmx SOAP 1.2 in capitals", Hints{Method: "POST", Path: "/api5/api.asmx", ContentType: "Application/SOAP+XML"}, SOAP12},
		{"asmx documentation", Hints{Method: "GET", Path: "/api5/api.asmx"}, Text},
		{"asmx WSDL", Hints{Method: "GET", Path: "/api5/api.asmx?WSDL"}, Text},
		{"asmx form binding", Hints{Method: "POST", Path: "/api5/api.asmx/Credits_STR", ContentType: "application/x-www-form-urlencoded"}, Text},
		{"asmx in the query only", Hints{Method: "POST", Path: "/x?y.asmx"}, Text},
		{"like asmx", Hints{Method: "POST", Path: "/x.asmxy"}, Text},
		{"dots before asmx", Hints{Method: "POST", Path: "/a.b/c.asmx"}, SOAP11},
		{"an action elsewhere", Hints{Method: "POST", Path: "/soap", SOAPAction: `""`}, SOAP11},

		{"rest host", Hints{Path: "/", Host: host.MustParse("rest.smsportal.com")}, REST},
		{"rest host in capitals", Hints{Host: host.MustParse("REST.mymobileapi.com")}, REST},
		{"rest version", Hints{Path: "/v1/anything", Host: host.MustParse("api.smsportal.com")}, REST},
		{"rest version alone", Hints{Path: "/V3"}, REST},
		{"no version", Hints{Path: "/v12/x"}, Text},
		{"rest resource", Hints{Path: "/Authentication"}, REST},
		{"rest resource, lower case", Hints{Path: "/bulkmessages?x"}, REST},
		{"rest resource, below", Hints{Path: "/GroupMessages/x"}, REST},
		{"rest balance", Hints{Path: "/balance"}, REST},
		{"like a resource", Hints{Path: "/Balances"}, Text},
		{"JSON body", Hints{Path: "/x", ContentType: "application/json; charset=utf-8"}, REST},
		{"JSON of a sort", Hints{Path: "/x", ContentType: "application/vnd.api+json"}, REST},
		{"JSON accepted", Hints{Path: "/x", Accept: "text/html, Application/JSON ;q=0.9"}, REST},
		{"anything accepted", Hints{Path: "/x", Accept: "*/*"}, Text},

		{"nothing known", Hints{}, Text},
		{"a page", Hints{Method: "GET", Path: "/", Host: host.MustParse("www.smsportal.com"), Accept: "text/html"}, Text},
		{"CONNECT", Hints{Method: "CONNECT", Host: host.MustParse("api.smsportal.com")}, Text},
		{"asterisk", Hints{Method: "OPTIONS", Path: "*"}, Text},
	} {
		if got := DialectOf(tt.h); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestDialectOfCostsNothing(t *testing.T) {
	h := Hints{Method: "POST", Path: "/x.y/z", Host: host.MustParse("api.smsportal.com"), ContentType: "text/plain", Accept: "text/html, */*"}
	if n := testing.AllocsPerRun(100, func() { DialectOf(h) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestDialectNames(t *testing.T) {
	t.Parallel()
	var names []string
	for _, d := range dialects {
		names = append(names, d.String())
	}
	if got := strings.Join(names, " "); got != "text api5 soap11 soap12 rest" {
		t.Errorf("dialects are %q", got)
	}
}

func TestDialectBelowHost(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]Dialect{
		"/api.smsportl.com/api5/http5.aspx": API5, "/api5/http5.aspx": API5, "/x/api5/api.asmx": SOAP11, "/api5/api.asmx": SOAP11,
		"/rest.smsportl.com/v1/Balance": REST, "/Balance": REST, "/x/y": Text, "/x": Text, "/": Text, "": Text, "*": Text,
	} {
		if got := DialectBelowHost(Hints{Method: "POST", Path: path}); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}
