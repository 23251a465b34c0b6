package host

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// TestOddNames holds the names that nine sets of rules used to judge
// differently.
func TestOddNames(t *testing.T) {
	for in, want := range map[string]string{
		"api.smsportal.com":         "api.smsportal.com",
		"API.SmsPortal.COM.":        "api.smsportal.com",
		"localhost":                 "localhost",
		"my_host":                   "my_host",
		"xn--bcher-kva.example":     "xn--bcher-kva.example",
		"a-b.c":                     "a-b.c",
		"3com.com":                  "3com.com",
		"1.2.3.4":                   "1.2.3.4",
		"1.2.3.4.":                  "1.2.3.4",
		"::1":                       "::1",
		"[::1]":                     "::1",
		"[2001:DB8::1]":             "2001:db8::1",
		"::ffff:10.0.0.1":           "10.0.0.1",
		"[::ffff:10.0.0.1]":         "10.0.0.1",
		strings.Repeat("a", 63):     strings.Repeat("a", 63),
		strings.Repeat("a.", 126):   strings.Repeat("a.", 125) + "a",
		"":                          "",
		".":                         "",
		"..":                        "",
		"a..b":                      "",
		".a":                        "",
		"a.b..":                     "",
		"-a":                        "",
		"a-":                        "",
		"a.-b":                      "",
		"a~b":                       "",
		"a b":                       "",
		"a/b":                       "",
		"a%2eb":                     "",
		"bücher.example":            "",
		"a\x00b":                    "",
		"127.1":                     "",
		"2130706433":                "",
		"0x7f000001":                "",
		"0x7f.1":                    "",
		"0177.0.0.1":                "",
		"1.2.3.256":                 "",
		"fe80::1%eth0":              "",
		"[fe80::1%25eth0]":          "",
		"[1.2.3.4]":                 "",
		"[::1":                      "",
		"::1]":                      "",
		"a:b":                       "",
		strings.Repeat("a", 64):     "",
		strings.Repeat("a.", 127):   strings.Repeat("a.", 126) + "a",
		strings.Repeat("a.", 128):   "",
		strings.Repeat("a.", 200):   "",
		strings.Repeat("a", 100000): "",
		"*.smsportal.com":           "",
		"user@host":                 "",
	} {
		n, err := Parse(in)
		if n.String() != want || (err == nil) != (want != "") {
			t.Errorf("Parse(%.40q) = %q, %v; want %q", in, n, err, want)
		}
	}
}

func TestAuthority(t *testing.T) {
	for _, c := range []struct {
		in, name string
		port     uint16
		err      error
	}{
		{"api.smsportal.com", "api.smsportal.com", 0, nil},
		{"API.smsportal.com.:443", "api.smsportal.com", 443, nil},
		{"host:", "host", 0, nil},
		{"[::1]:80", "::1", 80, nil},
		{"[::1]", "::1", 0, nil},
		{"::1", "::1", 0, nil},
		{"1.2.3.4:65535", "1.2.3.4", 65535, nil},
		{"", "", 0, nil},
		{":80", "", 80, nil},
		{"host:0", "", 0, ErrPort},
		{"host:65536", "", 0, ErrPort},
		{"host:+80", "", 0, ErrPort},
		{"host:80x", "", 0, ErrPort},
		{"[::1]x:80", "", 0, ErrHost},
		{"a@b:80", "", 0, ErrHost},
	} {
		n, port, err := ParseAuthority(c.in)
		if n.String() != c.name || port != c.port || !errors.Is(err, c.err) {
			t.Errorf("ParseAuthority(%q) = %q, %d, %v", c.in, n, port, err)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"api.smsportal.com", "api.smsportal.com", true},
		{"api.smsportal.com", "x.api.smsportal.com", false},
		{"*.smsportal.com", "api.smsportal.com", true},
		{"*.smsportal.com", "a.b.smsportal.com", true},
		{"*.smsportal.com", "smsportal.com", false},
		{"*.smsportal.com", "xsmsportal.com", false},
		{"*.2.3.4", "1.2.3.4", false},
		{"10.0.0.1", "10.0.0.1", true},
	} {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			if c.want {
				t.Errorf("ParsePattern(%q): %v", c.pattern, err)
			}
			continue
		}
		if got := p.Matches(MustParse(c.name)); got != c.want {
			t.Errorf("%s matches %s: %v", c.pattern, c.name, got)
		}
		if p.String() != c.pattern {
			t.Errorf("%q prints as %q", c.pattern, p)
		}
	}
	for _, bad := range []string{"*", "*.", "*.*.com", "a.*.com", "*.1.2.3.4", "*.[::1]", "**.com"} {
		if _, err := ParsePattern(bad); err == nil {
			t.Errorf("ParsePattern(%q) succeeds", bad)
		}
	}
}

func TestParents(t *testing.T) {
	var got []string
	for p := range MustParse("a.b.c").Parents {
		got = append(got, p.String())
	}
	if strings.Join(got, " ") != "b.c c" {
		t.Errorf("parents of a.b.c: %v", got)
	}
	for p := range MustParse("1.2.3.4").Parents {
		t.Errorf("an address has the parent %s", p)
	}
}

// FuzzParse holds that what was parsed once is its own normal form, and that
// nothing but letters, digits and -._: is ever printed.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"api.smsportal.com", "[::1]:80", "A.", "127.1", "::ffff:1.2.3.4", "a_b:443", "[", "0x1", ".", "*.a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, port, err := ParseAuthority(s)
		if err != nil || n.IsZero() {
			return
		}
		again, err := Parse(n.String())
		if err != nil || again != n {
			t.Fatalf("%q parses as %q, which parses as %q, %v", s, n, again, err)
		}
		joined, p, err := ParseAuthority(n.Join(port))
		if err != nil || joined != n || p != port {
			t.Fatalf("%q joins as %q, which is %q %d, %v", s, n.Join(port), joined, p, err)
		}
		if strings.Trim(n.String(), "abcdefghijklmnopqrstuvwxyz0123456789-._:") != "" {
			t.Fatalf("%q prints as %q", s, n)
		}
		if addr, err := netip.ParseAddr(n.String()); (err == nil) != n.IsAddr() || n.IsAddr() && addr != n.Addr() {
			t.Fatalf("%q: address %v, %v", n, n.IsAddr(), err)
		}
	})
}
