package problem

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"tlslift/proxy/host"
)

var update = flag.Bool("update", false, "write the golden files and the bodies in docs/errors.md")

// example is an answer that has a golden file per dialect.
type example struct {
	name string
	p    Problem
}

// examples are all kinds of answers.
func examples() []example {
	var list []example
	usual := map[Reason]Answer{}
	for _, a := range Answers {
		name := a.Reason.String()
		first, known := usual[a.Reason]
		switch {
		case !known:
			usual[a.Reason] = a
		case a.Status == http.StatusRequestHeaderFieldsTooLarge:
			name += "_head"
		case a.Status == http.StatusRequestURITooLong:
			name += "_target"
		case a.Delivery != first.Delivery:
			name += "_" + a.Delivery.String()
		default:
			name += "_unknown"
		}
		p := Problem{Reason: a.Reason, Status: a.Status, Delivery: a.Delivery, Closes: a.Closes, Host: host.MustParse("api.smsportal.com"), RequestID: "9f86d081-2s"}
		if p.Reason == Host {
			p.Host = host.MustParse("www.example.com")
		}
		list = append(list, example{name, p})
	}
	return list
}

var dialects = [...]Dialect{Text, API5, SOAP11, SOAP12, REST}

// String names a dialect for the golden files and docs/errors.md.
func (d Dialect) String() string {
	switch d {
	case API5:
		return "api5"
	case SOAP11:
		return "soap11"
	case SOAP12:
		return "soap12"
	case REST:
		return "rest"
	default:
		return "text"
	}
}

var extension = map[Dialect]string{API5: ".xml", SOAP11: ".xml", SOAP12: ".xml", REST: ".json", Text: ".txt"}

func golden(d Dialect, name string) string {
	return filepath.Join("testdata", "golden", d.String(), name+extension[d])
}

func TestGolden(t *testing.T) {
	known := map[string]bool{}
	for _, ex := range examples() {
		for _, d := range dialects {
			_, _, body := ex.p.Render(d)
			file := golden(d, ex.name)
			known[file] = true
			if *update {
				write(t, file, body)
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if string(body) != string(want) {
				t.Errorf("%s:\n%s\nwant\n%s", file, body, want)
			}
			wellFormed(t, d, &ex.p, body)
		}
	}
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !known[file] {
			t.Errorf("%s belongs to no answer", file)
		}
	}
}

func write(t *testing.T, file string, body []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, body, 0o644); err != nil {
		t.Fatal(err)
	}
}

// wellFormed reads a body as its caller would, and expects the words and the
// sentence in it.
func wellFormed(t *testing.T, d Dialect, p *Problem, body []byte) {
	t.Helper()
	for i, c := range body {
		if c < ' ' && (c != '\n' || i != len(body)-1) || c > '~' {
			t.Fatalf("%v: byte %#x in %q", d, c, body)
		}
	}
	var message, word, delivery string
	switch d {
	case API5:
		var doc struct {
			XMLName xml.Name `xml:"api_result"`
			Result  string   `xml:"call_result>result"`
			Error   string   `xml:"call_result>error"`
		}
		parseXML(t, body, &doc)
		if doc.Result != "False" {
			t.Errorf("result is %q", doc.Result)
		}
		message = doc.Error
	case SOAP11:
		var doc struct {
			XMLName xml.Name `xml:"http://schemas.xmlsoap.org/soap/envelope/ Envelope"`
			Fault   struct {
				Code     string `xml:"faultcode"`
				String   string `xml:"faultstring"`
				Error    string `xml:"detail>tlslift>error"`
				Delivery string `xml:"detail>tlslift>delivery"`
			} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body>Fault"`
		}
		parseXML(t, body, &doc)
		message, word, delivery = doc.Fault.String, doc.Fault.Error, doc.Fault.Delivery
		if want := map[bool]string{true: "soap:Client", false: "soap:Server"}[p.callersFault()]; doc.Fault.Code != want {
			t.Errorf("%v: fault code %q, want %q", p.Reason, doc.Fault.Code, want)
		}
	case SOAP12:
		var doc struct {
			XMLName xml.Name `xml:"http://www.w3.org/2003/05/soap-envelope Envelope"`
			Fault   struct {
				Code     string `xml:"Code>Value"`
				Text     string `xml:"Reason>Text"`
				Error    string `xml:"Detail>tlslift>error"`
				Delivery string `xml:"Detail>tlslift>delivery"`
			} `xml:"http://www.w3.org/2003/05/soap-envelope Body>Fault"`
		}
		parseXML(t, body, &doc)
		message, word, delivery = doc.Fault.Text, doc.Fault.Error, doc.Fault.Delivery
		if want := map[bool]string{true: "soap:Sender", false: "soap:Receiver"}[p.callersFault()]; doc.Fault.Code != want {
			t.Errorf("%v: fault code %q, want %q", p.Reason, doc.Fault.Code, want)
		}
	case REST:
		message, word, delivery = parseREST(t, p, body)
	default:
		message = strings.TrimSuffix(string(body), "\n")
	}
	if message != p.message() {
		t.Errorf("%v: message %q, want %q", d, message, p.message())
	}
	if (d == SOAP11 || d == SOAP12 || d == REST) && (word != p.word() || delivery != p.delivery().String()) {
		t.Errorf("%v: %q, %q; want %q, %q", d, word, delivery, p.word(), p.delivery())
	}
}

func parseXML(t *testing.T, body []byte, doc any) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(string(body)))
	if err := decoder.Decode(doc); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if token, err := decoder.Token(); !errors.Is(err, io.EOF) {
		t.Errorf("%v after the document (%v)", token, err)
	}
}

func parseREST(t *testing.T, p *Problem, body []byte) (message, word, delivery string) {
	t.Helper()
	var doc struct {
		StatusCode int `json:"statusCode"`
		Errors     []struct {
			ErrorCode    string `json:"errorCode"`
			ErrorMessage string `json:"errorMessage"`
		} `json:"errors"`
		ErrorReport struct {
			Faults []struct {
				ErrorMessage string `json:"errorMessage"`
				Status       string `json:"status"`
			} `json:"faults"`
		} `json:"errorReport"`
		Message string `json:"message"`
		Tlslift struct {
			Error     string `json:"error"`
			Delivery  string `json:"delivery"`
			RequestID string `json:"requestId"`
		} `json:"tlslift"`
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&doc); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	code := "tlslift." + p.word()
	if doc.StatusCode != p.status() || len(doc.Errors) != 1 || doc.Errors[0].ErrorCode != code || doc.Errors[0].ErrorMessage != doc.Message {
		t.Errorf("status %d, errors %q", doc.StatusCode, doc.Errors)
	}
	if f := doc.ErrorReport.Faults; len(f) != 1 || f[0].ErrorMessage != doc.Message || f[0].Status != code {
		t.Errorf("faults %q", f)
	}
	if doc.Tlslift.RequestID != p.RequestID {
		t.Errorf("request %q", doc.Tlslift.RequestID)
	}
	return doc.Message, doc.Tlslift.Error, doc.Tlslift.Delivery
}

func TestHeader(t *testing.T) {
	t.Parallel()
	for _, ex := range examples() {
		for _, d := range dialects {
			_, h, body := ex.p.Render(d)
			want := http.Header{
				"Content-Type":     {d.ContentType()},
				"Content-Length":   {strconv.Itoa(len(body))},
				"Cache-Control":    {"no-store"},
				"Tlslift-Error":    {ex.p.Reason.String()},
				"Tlslift-Delivery": {ex.p.Delivery.String()},
			}
			switch ex.p.status() {
			case 503:
				want.Set("Retry-After", "5")
			case 407:
				want.Set("Proxy-Authenticate", `Basic realm="tlslift"`)
			}
			for key := range want {
				if h.Get(key) != want.Get(key) {
					t.Errorf("%s, %v: %s is %q, want %q", ex.name, d, key, h.Get(key), want.Get(key))
				}
			}
			if len(h) != len(want) {
				t.Errorf("%s, %v: %q, want %q", ex.name, d, h, want)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p    Problem
		want string
	}{
		{Problem{Reason: Limit}, "5"},
		{Problem{Reason: Draining}, "5"},
		{Problem{Reason: Draining, Delivery: Unknown}, ""}, // may have been sent: not to be tried again
		{Problem{Reason: DNS}, ""},
	} {
		_, h, _ := c.p.Render(Text)
		if got := h.Get("Retry-After"); got != c.want {
			t.Errorf("%v, %v: Retry-After is %q, want %q", c.p.Reason, c.p.Delivery, got, c.want)
		}
	}
}

// The two words that matter most are in every answer, and exclude each other.
func TestDeliverySentence(t *testing.T) {
	t.Parallel()
	for r := None; r <= numReasons; r++ {
		for d, want := range map[Delivery][2]string{NotSent: {notSent, maybeSent}, Unknown: {maybeSent, notSent}, Answered: {maybeSent, notSent}} {
			p := Problem{Reason: r, Delivery: d}
			for _, dialect := range dialects {
				_, _, body := p.Render(dialect)
				if !strings.Contains(string(body), want[0]) || strings.Contains(string(body), want[1]) {
					t.Errorf("%v, %v, %v: %s", r, d, dialect, body)
				}
			}
		}
	}
}

func TestTextsAreWhole(t *testing.T) {
	t.Parallel()
	check := func(name, text string) {
		if text == "" || !strings.HasSuffix(text, ".") || !strings.HasPrefix(text, hostMark) && (text[0] < 'A' || text[0] > 'Z') {
			t.Errorf("%s: %q is no sentence", name, text)
		}
		if strings.ContainsAny(text, "<>&\"\\") {
			t.Errorf("%s: %q needs escaping", name, text)
		}
	}
	for _, a := range Answers {
		check(a.Reason.String(), a.what)
		check(a.Reason.String(), a.advice)
	}
	for c := Usual + 1; c <= Misnamed; c++ {
		what, advice := c.text()
		check("cause", what)
		check("cause", advice)
	}
}

func TestTheHostInAText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		p          Problem
		has, hasNo string
	}{
		{"host", Problem{Reason: DNS, Host: host.MustParse("API.smsportal.com")}, "api.smsportal.com", "API."},
		{"no host", Problem{Reason: DNS}, "The name the API host could not be resolved.", "  "},
	} {
		if _, _, body := tt.p.Render(Text); !strings.Contains(string(body), tt.has) || strings.Contains(string(body), tt.hasNo) {
			t.Errorf("%s: %s", tt.name, body)
		}
	}
}

// FuzzRender checks that no problem breaks a document or a header.
func FuzzRender(f *testing.F) {
	f.Add(uint8(Reset), uint8(Unknown), 0, uint8(Usual))
	f.Add(uint8(Limit), uint8(NotSent), 503, uint8(Misnamed))
	f.Add(uint8(200), uint8(7), -1, uint8(250))
	f.Fuzz(func(t *testing.T, reason, delivery uint8, status int, cause uint8) {
		p := Problem{
			Reason: Reason(reason), Delivery: Delivery(delivery), Status: status, Host: host.MustParse("api.smsportal.com"),
			RequestID: "9f86d081-2s", Cause: Cause(cause),
		}
		for _, d := range dialects {
			_, h, body := p.Render(d)
			wellFormed(t, d, &p, body)
			if h.Get("Content-Length") != strconv.Itoa(len(body)) || len(body) > 4096 {
				t.Fatalf("%d bytes, Content-Length %s", len(body), h.Get("Content-Length"))
			}
			for key, values := range h {
				if len(values) != 1 || strings.ContainsFunc(values[0], func(r rune) bool { return r < ' ' || r > '~' }) {
					t.Fatalf("%s: %q", key, values)
				}
			}
		}
	})
}

func BenchmarkRender(b *testing.B) {
	p := Problem{Reason: Reset, Delivery: Unknown, Host: host.MustParse("api.smsportal.com"), RequestID: "9f86d081-2s"}
	b.ReportAllocs()
	for b.Loop() {
		p.Render(API5)
	}
}

// A program that shows nothing of a failure but its status line shows what
// happened and what became of the message.
func TestPhrase(t *testing.T) {
	for want, p := range map[string]Problem{
		"Bad Gateway (tlslift: connect, not_sent)":            {Reason: Connect, Delivery: NotSent},
		"Gateway Timeout (tlslift: timeout, unknown)":         {Reason: Timeout, Delivery: Unknown},
		"Request URI Too Long (tlslift: too_large, not_sent)": {Reason: TooLarge, Status: 414, Delivery: NotSent},
	} {
		if got := p.Phrase(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
