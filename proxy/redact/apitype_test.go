package redact

import (
	"strings"
	"testing"

	"tlslift/proxy/form"
)

func TestAPIType(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ query, want string }{
		{"", ""},
		{"Username=u&Password=p", ""},
		{"Type=sendparam&Username=u", "sendparam"},
		{"type=SendParam", "sendparam"},
		{"TYPE=send", "send"},
		{"Username=u&Password=p&Type=credits", "credits"},
		{"Type=sent", "sent"},
		{"Type=replies", "replies"},
		{"T%79pe=s%65nd", "send"},
		{"Type=", Other},
		{"Type", Other},
		{"Type=hunter2", Other},
		{"Type=sendparams", Other},
		{"Type=sen", Other},
		{"MsgType=send", ""},
		{"Typed=send", ""},
		// What url.ParseQuery drops.
		{"a=1;password=PASS&data1=100%&Type=send", "send"},
		{"Type=send&data1=100%", "send"},
		{"data1=50%%zz&type=sent", "sent"},
		{"Type=send;x=1", Other},
		{"Username=u;Type=credits;Password=p", "credits"},
		{"data1=see;type=credits&Type=send", "send"},
		{"data1=a=b=Type=send", ""},
		// More than one: the server joins them.
		{"Type=send&Type=send", "send"},
		{"Type=credits&Type=send", Other},
		{"Type=credits&type=", Other},
		{"&&Type=send&&", "send"},
		{"Type=send ", Other},
		{"XMLData=<a>&amp;Type=send", "send"},
	} {
		if got := APIType(tt.query); got != tt.want {
			t.Errorf("APIType(%q) = %q, want %q", tt.query, got, tt.want)
		}
	}
}

const (
	formType = "application/x-www-form-urlencoded; charset=utf-8"
	boundary = "----------------------------5a6b7c"
	partType = "multipart/form-data; boundary=" + boundary
)

// multipartForm is a form as libcurl writes it.
func multipartForm(eol string, pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		b.WriteString("--" + boundary + eol + `Content-Disposition: form-data; name="` + pairs[i] + `"` + eol + eol + pairs[i+1] + eol)
	}
	return b.String() + "--" + boundary + "--" + eol
}

func TestAPITypeForm(t *testing.T) {
	t.Parallel()
	whole := multipartForm("\r\n", "Username", "u", "Type", "sendparam", "Data1", "hi")
	for _, tt := range []struct{ name, body, contentType, want string }{
		{"urlencoded", "Type=sendparam&Username=u", formType, "sendparam"},
		{"no content type", "Username=u&type=SENT", "", "sent"},
		{"media type in capitals", "Type=send", "Application/X-WWW-Form-Urlencoded", "send"},
		{"dummy body", "a", formType, ""},
		{"JSON", `{"Type":"send"}`, "application/json", ""},
		{"XML", "<Type>send</Type>", "text/xml", ""},
		{"cut short", strings.Repeat("a", form.Prefix-len("&Type=send")) + "&Type=send", formType, ""},
		{"beyond what is looked at", strings.Repeat("a", form.Prefix) + "&Type=send", formType, ""},
		{"multipart", whole, partType, "sendparam"},
		{"multipart, bare LF", multipartForm("\n", "type", "credits"), partType, "credits"},
		{"multipart, quoted boundary", whole, `multipart/form-data; charset=x; boundary="` + boundary + `"`, "sendparam"},
		{"multipart, preamble", "Type\r\n" + whole, partType, "sendparam"},
		{"multipart, two", multipartForm("\r\n", "Type", "send", "type", "sent"), partType, Other},
		{"multipart, unknown", multipartForm("\r\n", "Type", "hunter2"), partType, Other},
		{"multipart, none", multipartForm("\r\n", "Username", "Type"), partType, ""},
		{"multipart, a file's name", strings.ReplaceAll(multipartForm("\r\n", "Type", "send"), "name=", "filename="), partType, ""},
		{"multipart, a text that looks like a part", multipartForm("\r\n", "Data1", "name=\"Type\"\r\n\r\nsend"), partType, ""},
		{"multipart, end unseen", whole[:strings.Index(whole, "sendparam")+4], partType, ""},
		{"multipart, in its head", whole[:strings.Index(whole, "Type")], partType, ""},
		{"multipart, no boundary", whole, "multipart/form-data", ""},
		{"multipart, another boundary", whole, "multipart/form-data; boundary=x", ""},
		{"multipart, long boundary", whole, "multipart/form-data; boundary=" + strings.Repeat("x", 71), ""},
		{"multipart, open quote", whole, `multipart/form-data; boundary="` + boundary, ""},
	} {
		if got := APITypeForm([]byte(tt.body), tt.contentType); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// FuzzAPIType checks that only words of the closed set come back.
func FuzzAPIType(f *testing.F) {
	f.Add("Type=send&data1=100%;a=b", formType)
	f.Add(multipartForm("\r\n", "Type", "sendparam"), partType)
	f.Add(multipartForm("\n", "Data1", "a\n--b", "type", "x"), partType)
	f.Fuzz(func(t *testing.T, raw, contentType string) {
		for _, got := range []string{APIType(raw), APITypeForm([]byte(raw), contentType)} {
			known := got == "" || got == Other
			for _, word := range apiTypes {
				known = known || got == word
			}
			if !known {
				t.Fatalf("%q is not of the closed set", got)
			}
		}
	})
}

func BenchmarkAPIType(b *testing.B) {
	const query = "Username=user&Password=secret&numto=27821234567&data1=Hello+World%21+How+are+you&Type=sendparam"
	b.ReportAllocs()
	for b.Loop() {
		APIType(query)
	}
}

func BenchmarkAPITypeFormMultipart(b *testing.B) {
	body := []byte(multipartForm("\r\n", "Type", "sendparam", "Username", "u", "Password", "p", "numto", "27821234567", "data1", "Hello"))
	b.ReportAllocs()
	for b.Loop() {
		APITypeForm(body, partType)
	}
}
