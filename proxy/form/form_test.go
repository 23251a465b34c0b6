package form_test

import (
	"strings"
	"testing"

	"tlslift/proxy/form"
)

func TestAttribute(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"name=a", "a"},
		{` name = a ; x=y`, "a"},
		{`x="a;name=b"; name="c\"d"`, `c\"d`},
		{`x;name=a`, "a"},
		{"NAME=a", "a"},
		{"xname=a", ""},
		{`name="a`, ""},
		{`name="a\`, ""},
		{"name", ""},
		{";;;", ""},
	} {
		if got := form.Attribute("type;"+tt.in, "name"); got != tt.want {
			t.Errorf("Attribute(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ raw, separators, want string }{
		{"", "&", ""},
		{"a=1&b=2&A=3&%61=4", "&", "1,3,4."},
		{"b=2&a=1", "&", "1."},
		{"a=1;x&b=2", "&", "1;x,"},
		{"b=1;a=2;c", "&", ""},
		{"b=1;a=2;c", "&;", "2,"},
		{"b=1&a=2;c&a=3", "&;", "2,3."},
		{"a&ab=1&a%=2&a=%zz", "&", ",%zz."},
		{"a=1&", "&", "1,"},
	} {
		var got strings.Builder
		found := form.Params(tt.raw, tt.separators, "a", func(value string, last bool) bool {
			got.WriteString(value)
			if last {
				got.WriteByte('.')
			} else {
				got.WriteByte(',')
			}
			return true
		})
		if got.String() != tt.want || found != (tt.want != "") {
			t.Errorf("%q by %q: %q, %v, want %q", tt.raw, tt.separators, got.String(), found, tt.want)
		}
	}
}

func TestUnescape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "a": "a", "a+b": "a b", "%41%62": "Ab", "%": "%", "%4": "%4", "%zz%41": "%zzA", "%25": "%", "a%2": "a%2",
	} {
		if got := form.Unescape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		xml, want string
		complete  bool
	}{
		{"<a>text</a>", "text", true},
		{"<x:a y='1'>text<b/>", "text", true},
		{"<a>text", "text", false},
		{"<a/>text<b>", "", true},
		{"<a></a>", "", true},
		{"<a x", "", false},
	} {
		name, rest := form.Element(tt.xml)
		got, complete := form.Text(rest)
		if name != "a" || got != tt.want || complete != tt.complete {
			t.Errorf("%q: %q, %q, %v", tt.xml, name, got, complete)
		}
	}
}

// FuzzBodies checks that everything that is found is a part of what was given.
func FuzzBodies(f *testing.F) {
	f.Add("a=1&b", "b")
	f.Add("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--", "b")
	f.Add("<a><b x='1'>t</b></a>", "b")
	f.Fuzz(func(t *testing.T, raw, name string) {
		check := func(what, part string) {
			if !strings.Contains(raw, part) {
				t.Errorf("%s %q is not in %q", what, part, raw)
			}
		}
		if name != "" {
			form.Params(raw, "&;", strings.ToLower(name), func(value string, _ bool) bool { check("value", value); return true })
		}
		form.Parts(raw, name, func(key, value string, _ bool) bool { check("name", key); check("part", value); return true })
		check("attribute", form.Attribute(raw, name))
		for xml := raw; ; {
			element, rest := form.Element(xml)
			if element == "" {
				break
			}
			text, _ := form.Text(rest)
			check("element", element)
			check("text", text)
			xml = rest
		}
		if got := form.Unescape(raw); len(got) > len(raw) {
			t.Errorf("%q became longer: %q", raw, got)
		}
	})
}
