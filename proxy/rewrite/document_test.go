package rewrite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"tlslift/proxy/host"
)

// A WSDL as ASP.NET makes them, with what must not change: namespaces, a
// comment, documentation, text, and addresses of others.
const wsdl = `<?xml version="1.0" encoding="utf-8"?>
<!-- <soap:address location="https://api.smsportal.com/comment"/> -->
<wsdl:definitions xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:s12="http://schemas.xmlsoap.org/wsdl/soap12/"
  xmlns:http="http://schemas.xmlsoap.org/wsdl/http/" xmlns:s="http://www.w3.org/2001/XMLSchema"
  targetNamespace="https://api.smsportal.com/api5" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/">
  <wsdl:documentation>Grüße <soap:address location="https://api.smsportal.com/doc"/></wsdl:documentation>
  <wsdl:import namespace="https://api.smsportal.com/n" location = '{{https://api.smsportal.com/i.wsdl?a&amp;b}}'/>
  <wsdl:types>
    <s:schema targetNamespace="https://api.smsportal.com/api5">
      <s:import xmlns:location="x" namespace="https://api.smsportal.com/x" schemaLocation="{{https://api.smsportal.com:443/x.xsd}}" />
      <s:include schemaLocation=" {{https://rest.smsportal.com/y.xsd}}
"/><s:element name="location" default="https://api.smsportal.com/element"/>
    </s:schema>
  </wsdl:types>
  <wsdl:service name="a>b">
    <wsdl:port name="1"><soap:address location="{{https://api.smsportal.com/api5/api.asmx}}" /></wsdl:port>
    <wsdl:port name='2'><s12:address location="{{HTTPS://API.smsportal.com/api5/api.asmx}}"></s12:address></wsdl:port>
    <wsdl:port name="3"><http:address location='{{https://api.smsportal.com/api5/api.asmx}}'/></wsdl:port>
    <wsdl:port name="4"><soap:address location="https://example.com/api5/api.asmx"/></wsdl:port>
    <wsdl:port name="5"><soap:address other="location=" location="https&#58;//api.smsportal.com/"/></wsdl:port>
    <wsdl:port name="6"><x:address xmlns:x="urn:x" location="https://api.smsportal.com/x"/></wsdl:port>
    <wsdl:port name="7"><![CDATA[<soap:address location="https://api.smsportal.com/cdata"/>]]></wsdl:port>
  </wsdl:service>
</wsdl:definitions>
trailing < text`

// marked is a document before and after: what {{ and }} enclose changes.
func marked(s string, change func(string) string) (in, want string) {
	for {
		before, after, ok := strings.Cut(s, "{{")
		in, want = in+before, want+before
		if !ok {
			return in, want
		}
		address, rest, _ := strings.Cut(after, "}}")
		in, want, s = in+address, want+change(address), rest
	}
}

func toHTTP(s string) string {
	return "http" + strings.Replace(s[len("https"):], ":443", "", 1)
}

func wide(order binary.AppendByteOrder, mark bool, s string) string {
	var out []byte
	if mark {
		out = order.AppendUint16(out, 0xfeff)
	}
	for _, u := range utf16.Encode([]rune(s)) {
		out = order.AppendUint16(out, u)
	}
	return string(out)
}

func TestDocument(t *testing.T) {
	t.Parallel()
	const schema = `<schema xmlns="http://www.w3.org/2001/XMLSchema"><redefine schemaLocation="{{https://api.smsportal.com/a}}"/><override schemaLocation="{{https://api.smsportal.com/b}}"/></schema>`
	const second = `<description xmlns="http://www.w3.org/ns/wsdl"><include location="{{https://api.smsportal.com/a}}"/><service><endpoint address="{{https://api.smsportal.com/b}}"/></service></description>`
	for name, text := range map[string]string{"WSDL": wsdl, "WSDL 2.0": second, "schema": schema} {
		in, want := marked(text, toHTTP)
		declared := func(s, charset string) string {
			return strings.Replace(s, `encoding="utf-8"`, `encoding="`+charset+`"`, 1)
		}
		latin := func(s string) string {
			return strings.NewReplacer("ü", "\xfc", "ß", "\xdf").Replace(declared(s, "ISO-8859-1"))
		}
		for encoding, encode := range map[string]func(string) string{
			"UTF-8":                 func(s string) string { return s },
			"UTF-8 with mark":       func(s string) string { return "\ufeff" + s },
			"Latin-1":               latin,
			"UTF-16":                func(s string) string { return wide(binary.LittleEndian, true, declared(s, "utf-16")) },
			"UTF-16, big endian":    func(s string) string { return wide(binary.BigEndian, true, declared(s, "UTF-16")) },
			"UTF-16LE, no mark":     func(s string) string { return wide(binary.LittleEndian, false, declared(s, "UTF-16LE")) },
			"UTF-16BE, no mark":     func(s string) string { return wide(binary.BigEndian, false, declared(s, "UTF-16BE")) },
			"UTF-16, cut in a unit": func(s string) string { return wide(binary.LittleEndian, true, declared(s, "utf-16")) + "\xff" },
		} {
			got, err := plain.Document([]byte(encode(in)), "text/xml")
			if err != nil || string(got) != encode(want) {
				t.Errorf("%s, %s: %v\n%s\nwant\n%s", name, encoding, err, got, encode(want))
			}
			again, err := plain.Document(got, "text/xml")
			if err != nil || !bytes.Equal(again, got) {
				t.Errorf("%s, %s, a second time: %v\n%s", name, encoding, err, again)
			}
		}
	}
}

func TestDocumentBelowBase(t *testing.T) {
	t.Parallel()
	in, want := marked(wsdl, func(s string) string {
		s = strings.Replace(s[len("https://"):], ":443", "", 1)
		return "http://lift:3128/" + strings.Replace(s, "api.smsportal.com", "API.smsportal.com", 1)
	})
	got, err := below().Document([]byte(in), "application/wsdl+xml; charset=utf-8")
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	const relative = `<schema xmlns="http://www.w3.org/2001/XMLSchema"><include schemaLocation="{{/x?a&amp;b}}"/><include schemaLocation="y"/><include schemaLocation="../z"/></schema>`
	in, want = marked(relative, func(s string) string { return "/API.smsportal.com" + s })
	for what, v := range map[string]View{"markup in the path": below(fromMarkup), "Latin-1 in the path": below(fromOutside)} {
		if got, err := v.Document([]byte(in), "text/xml"); err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", what, err, got, want)
		}
	}
	if got, _ := below().Document([]byte(in), "text/xml"); !strings.Contains(string(got), `"/API.smsportal.com/z"`) {
		t.Errorf("%s", got)
	}
}

// TestOtherDocuments holds what stays, and what is said of it.
func TestOtherDocuments(t *testing.T) {
	t.Parallel()
	quoted := strings.NewReplacer("<?xml", "<!--", "?>", "-->", "{{", "", "}}", "").Replace(wsdl)
	deep := `<schema xmlns="http://www.w3.org/2001/XMLSchema">` + strings.Repeat("<a>", maxDepth+1)
	for _, tt := range []struct {
		what, body, contentType string
		err                     error
	}{
		{"an SMS reply that quotes a WSDL", "<api_result><data>" + quoted + "</data></api_result>", "text/xml", nil},
		{"an escaped one", "<api_result>&lt;soap:address location=&quot;https://api.smsportal.com/&quot;/&gt;</api_result>", "text/xml", nil},
		{"no XML", "https://api.smsportal.com/", "text/xml", nil},
		{"nothing", "", "text/xml", nil},
		{"no namespace", `<definitions><port><address location="https://api.smsportal.com/"/></port></definitions>`, "text/xml", nil},
		{"EBCDIC", "\x4c\x6f\xa7\x94\x93", "text/xml; charset=ibm037", errCharset},
		{"a charset with escapes", `<?xml version="1.0" encoding="iso-2022-jp"?><schema/>`, "text/xml", errCharset},
		{"nested deeply", deep, "text/xml", errDepth},
		{"broken", `<schema xmlns="http://www.w3.org/2001/XMLSchema"><include schemaLocation="https://api.smsportal.com/"`, "text/xml", errors.New("any")},
		{"an entity bomb", `<!DOCTYPE s [<!ENTITY a "&b;&b;"><!ENTITY b "https://api.smsportal.com/">]><schema xmlns="http://www.w3.org/2001/XMLSchema"><include schemaLocation="&a;"/></schema>`, "text/xml", errors.New("any")},
	} {
		got, err := plain.Document([]byte(tt.body), tt.contentType)
		if string(got) != tt.body || (err == nil) != (tt.err == nil) || errors.Is(tt.err, errCharset) != errors.Is(err, errCharset) || errors.Is(tt.err, errDepth) != errors.Is(err, errDepth) {
			t.Errorf("%s: %v, changed %v", tt.what, err, string(got) != tt.body)
		}
	}
}

func TestIsXML(t *testing.T) {
	t.Parallel()
	for contentType, want := range map[string]bool{
		"text/xml": true, "Text/XML; charset=utf-8": true, "application/xml;x": true, "application/wsdl+xml": true,
		"": false, "text/html": false, "application/json": false, "text/xmlx": false, "application/soap+xml ;action=x": true,
	} {
		if got := IsXML(contentType); got != want {
			t.Errorf("%q: %v", contentType, got)
		}
	}
}

// FuzzDocument: to change a document settles at once, but for the prefix of a
// base URL, takes the addresses of our hosts alone, and grows by a bounded amount.
func FuzzDocument(f *testing.F) {
	in, _ := marked(wsdl, toHTTP)
	f.Add([]byte(in), "text/xml", "/api5/http5.aspx")
	f.Add([]byte(wide(binary.LittleEndian, true, in)), "text/xml; charset=utf-16", "/")
	f.Add([]byte(wide(binary.BigEndian, false, in)), "", `/"&<`)
	f.Add([]byte(`<schema xmlns="http://www.w3.org/2001/XMLSchema"><include schemaLocation="../x"/></schema>`), "a+xml", "/a/b")
	f.Fuzz(func(t *testing.T, body []byte, contentType, path string) {
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		for _, v := range []View{plain, below(func(v *View) { v.Base.Path = path }), below(byDefault), below(noHost, overTLS), sent(), sent(overTLS, toPort)} {
			before := bytes.Clone(body)
			once, err := v.Document(body, contentType)
			if !bytes.Equal(body, before) {
				t.Fatal("the body was changed in place")
			}
			if err != nil && !bytes.Equal(once, body) {
				t.Fatalf("changed in spite of %v", err)
			}
			if len(once) > len(body)*(2+len(path)) {
				t.Fatalf("%d bytes became %d", len(body), len(once))
			}
			if err != nil {
				continue
			}
			twice, err := v.Document(once, contentType)
			prefix := "/api.smsportal.com"
			if v.scoped() {
				prefix = v.Base.Prefix
			}
			// A path is put below the base each time.
			unprefixed := func(b []byte) string {
				return strings.ReplaceAll(strings.ReplaceAll(string(b), "\x00", ""), prefix, "")
			}
			if err != nil || v.Base == nil && !bytes.Equal(once, twice) || unprefixed(once) != unprefixed(twice) {
				t.Fatalf("%q became %q, then %q (%v)", body, once, twice, err)
			}
			v.Upgraded = func(host.Name) bool { return false }
			v.Base = nil
			if same, _ := v.Document(body, contentType); !bytes.Equal(same, body) {
				t.Fatalf("%q became %q although no host is ours", body, same)
			}
		}
	})
}

func TestAsksForDescription(t *testing.T) {
	for target, want := range map[string]bool{
		"/api5/api.asmx?WSDL": true, "/a?wsdl=1": true, "/a?singleWsdl": true, "/a?xsd=xsd0&b": true, "/a/b.WSDL": true, "/a.xsd?b=c": true, "/a?wsdl&x": true,
		"/api5/http5.aspx?Type=credits": false, "/": false, "/wsdl": false, "/a?b=wsdl": false, "/a?wsdlx": false, "": false,
	} {
		if got := AsksForDescription(target); got != want {
			t.Errorf("%s: %v", target, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		AsksForDescription("/api5/http5.aspx?Type=credits")
		Describes([]byte("<api_result/>"), "text/xml")
	}); n != 0 {
		t.Errorf("%v allocations for what is no description", n)
	}
}
