package redact

import "testing"

const namespace = "http://www.mymobileapi.com/api5"

func envelope(body string) string {
	return `<?xml version="1.0"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">` +
		`<soap:Header><Body2/></soap:Header><soap:Body>` + body + `</soap:Body></soap:Envelope>`
}

func TestSOAPOperation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, action, contentType, body, want string }{
		{"quoted", `"` + namespace + `/Send_STR_STR"`, "text/xml", "", "Send_STR_STR"},
		{"bare", namespace + "/Credits_DS", "text/xml", "", "Credits_DS"},
		{"fragment", "urn:x#Sent_STR_DS", "text/xml", "", "Sent_STR_DS"},
		{"urn", "urn:x:Reply_DS_DS", "text/xml", "", "Reply_DS_DS"},
		{"name alone", "Send_ZIP_ZIP", "", "", "Send_ZIP_ZIP"},
		{"longer things", namespace + "/ShortCode_Update_STR_STR", "", "", "ShortCode_Update_STR_STR"},
		{"groups", namespace + "/Groups_List_DS", "", "", "Groups_List_DS"},
		{"SOAP 1.2", "", `application/soap+xml; charset=utf-8; action="` + namespace + `/Doc_DS_ZIP"`, "", "Doc_DS_ZIP"},
		{"unknown", namespace + "/hunter2", "", "", Other},
		{"no format", namespace + "/Send", "", "", Other},
		{"three formats", namespace + "/Send_STR_STR_STR", "", "", Other},
		{"format alone", namespace + "/STR_STR", "", "", Other},
		{"another format", namespace + "/Send_STR_hunter2", "", "", Other},
		{"case", namespace + "/send_str_str", "", "", Other},
		{"ends in a slash", namespace + "/", "", "", Other},
		{"from the body", `""`, "text/xml; charset=utf-8", envelope(`<Send_STR_STR xmlns="` + namespace + `"><username>u`), "Send_STR_STR"},
		{"from the body, prefixed", "", "text/xml", envelope(`<ns1:Credits_STR/>`), "Credits_STR"},
		{"from the body, unknown", "", "text/xml", envelope(`<hunter2>`), Other},
		{"from the body, after a comment", "", "text/xml", envelope("\n<!-- x --> <Sent_STR_STR >"), "Sent_STR_STR"},
		{"no body", "", "text/xml", "", ""},
		{"body cut short", "", "text/xml", `<soap:Envelope><soap:Body><Send_STR`, ""},
		{"not XML", "", "application/json", envelope(`<Send_STR_STR>`), ""},
	} {
		if got := SOAPOperation(tt.action, tt.contentType, []byte(tt.body)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// FuzzSOAPOperation checks that nothing but an operation's name comes back.
func FuzzSOAPOperation(f *testing.F) {
	f.Add(`"`+namespace+`/Send_STR_STR"`, "text/xml", "")
	f.Add("", "text/xml", envelope("<Send_STR_STR>"))
	f.Add("", `application/soap+xml; action="x/Doc_DS_ZIP"`, "<a:b<c/><!")
	f.Fuzz(func(t *testing.T, action, contentType, body string) {
		got := SOAPOperation(action, contentType, []byte(body))
		if len(got) > len("ShortCode_Update_ZIP_ZIP") {
			t.Fatalf("%q is too long", got)
		}
		if got != "" && got != Other && operation(got) != got {
			t.Fatalf("%q is not an operation", got)
		}
	})
}

func BenchmarkSOAPOperation(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		SOAPOperation(`"`+namespace+`/Send_STR_STR"`, "text/xml; charset=utf-8", nil)
	}
}
