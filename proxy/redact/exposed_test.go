package redact

import (
	"strings"
	"testing"

	"tlslift/proxy/form"
)

func TestExposed(t *testing.T) {
	t.Parallel()
	kinds := func(ks ...Kind) (s Kinds) {
		for _, k := range ks {
			s |= 1 << k
		}
		return s
	}
	soap := envelope(`<Send_STR_STR xmlns="` + namespace + `"><username>u</username><password>hunter2</password>`)
	for _, tt := range []struct {
		name, query, authorization, contentType, body string
		want                                          Kinds
	}{
		{name: "nothing"},
		{name: "query", query: "Type=send&Username=u&Password=hunter2", want: kinds(KindQuery)},
		{name: "query, lower case", query: "password=x", want: kinds(KindQuery)},
		{name: "query, name escaped", query: "%50assword=x", want: kinds(KindQuery)},
		{name: "query, what ParseQuery drops", query: "a=1;password=PASS&data1=100%", want: kinds(KindQuery)},
		{name: "query, bad escape", query: "password=100%", want: kinds(KindQuery)},
		{name: "query, no value", query: "Password=&Type=send"},
		{name: "query, one without and one with a value", query: "Password=&password=x", want: kinds(KindQuery)},
		{name: "query, another name", query: "oldpassword=x&passwords=y"},
		{name: "basic", authorization: "Basic dTpw", want: kinds(KindBasic)},
		{name: "basic in capitals", authorization: "BASIC dTpw", want: kinds(KindBasic)},
		{name: "basic without a scheme", authorization: "dXNlcjpodW50ZXIy", want: kinds(KindBasic)},
		{name: "basic without a scheme, padded", authorization: "dTpwMQ==", want: kinds(KindBasic)},
		{name: "basic, empty", authorization: "Basic"},
		{name: "bearer", authorization: "Bearer abc.def.ghi", want: kinds(KindBearer)},
		{name: "bearer in brackets", authorization: "Bearer [abc]", want: kinds(KindBearer)},
		{name: "bearer, empty", authorization: "bearer "},
		{name: "token alone", authorization: "abc.def.ghi", want: kinds(KindBearer)},
		{name: "another scheme word", authorization: "JWT abc.def.ghi", want: kinds(KindBearer)},
		{name: "digest", authorization: `Digest username="u", response="x"`},
		{name: "negotiate", authorization: "Negotiate YII="},
		{name: "form", contentType: formType, body: "Type=send&Password=hunter2", want: kinds(KindForm)},
		{name: "form without a type", body: "Password=hunter2", want: kinds(KindForm)},
		{name: "form, no value", contentType: formType, body: "Password="},
		{name: "multipart", contentType: partType, body: multipartForm("\r\n", "Password", "hunter2"), want: kinds(KindForm)},
		{name: "multipart, no value", contentType: partType, body: multipartForm("\r\n", "Password", "")},
		{name: "multipart, cut", contentType: partType, body: multipartForm("\r\n", "password", "hunter2")[:92], want: kinds(KindForm)},
		{name: "soap", contentType: "text/xml; charset=utf-8", body: soap, want: kinds(KindSOAP)},
		{name: "soap 1.2, prefixed", contentType: "application/soap+xml", body: `<a:Password xsi:type="s">x</a:Password>`, want: kinds(KindSOAP)},
		{name: "soap, empty", contentType: "text/xml", body: "<password></password><password/>x<password a='b'/>y"},
		{name: "soap, none", contentType: "text/xml", body: envelope("<username>password</username>")},
		{name: "JSON", contentType: "application/json", body: `{"password":"x"}`},
		{
			name: "several", query: "password=a", authorization: "Basic dTpw", contentType: formType, body: "password=b",
			want: kinds(KindQuery, KindBasic, KindForm),
		},
	} {
		if got := Exposed(tt.query, tt.authorization, tt.contentType, []byte(tt.body)); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, names(got), names(tt.want))
		}
	}
}

func names(s Kinds) (list []string) {
	for _, k := range AllKinds {
		if s.Has(k) {
			list = append(list, k.String())
		}
	}
	return list
}

func TestKindNames(t *testing.T) {
	t.Parallel()
	if got := strings.Join(names(1<<len(AllKinds)-1), " "); got != "query basic bearer form soap" {
		t.Errorf("kinds are %q", got)
	}
}

// FuzzExposed plants a password and expects it to be seen, whatever stands
// around it.
func FuzzExposed(f *testing.F) {
	f.Add("Type=send;x=%", "Basic dTpw", "text/xml", "<a>")
	f.Add("a&b", "", formType, "Password")
	f.Add("", "Bearer x", partType, multipartForm("\r\n", "a", "b"))
	f.Fuzz(func(t *testing.T, query, authorization, contentType, body string) {
		Exposed(query, authorization, contentType, []byte(body))
		if s := Exposed(query+"&Password=x", authorization, contentType, []byte(body)); !s.Has(KindQuery) {
			t.Fatal("the password in the query was not seen")
		}
		if len(body) < form.Prefix-100 && !Exposed("", "", formType, []byte(body+"&password=x")).Has(KindForm) {
			t.Fatal("the password in the form was not seen")
		}
		if len(body) < form.Prefix-100 && !strings.ContainsAny(body, "<") &&
			!Exposed("", "", "text/xml", []byte(body+"<password>x")).Has(KindSOAP) {
			t.Fatal("the password in the XML was not seen")
		}
	})
}

func BenchmarkExposedQuery(b *testing.B) {
	const query = "Type=sendparam&Username=user&Password=secret&numto=27821234567&data1=Hello+World%21+How+are+you"
	b.ReportAllocs()
	for b.Loop() {
		Exposed(query, "", "", nil)
	}
}

func BenchmarkExposedREST(b *testing.B) {
	body := []byte(`{"Messages":[{"Content":"Hello","Destination":"27821234567"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		Exposed("", "Bearer abc.def.ghi", "application/json", body)
	}
}
