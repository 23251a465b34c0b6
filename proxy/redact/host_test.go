package redact

import (
	"strings"
	"testing"
)

func TestHost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ host, want string }{
		{"", ""},
		{"api.smsportal.com", "api.smsportal.com"},
		{"WWW.MyMobileAPI.com:80", "www.mymobileapi.com:80"},
		{"[::1]:3128", "[::1]:3128"},
		{"a_b-c.example.", "a_b-c.example."},
		{"user:hunter2@host", Invalid},
		{"host/path", Invalid},
		{"host?Password=hunter2", Invalid},
		{"host name", Invalid},
		{"h\r\nx", Invalid},
		{"h\xf6st", Invalid},
		{strings.Repeat("a", 259), strings.Repeat("a", 259)},
		{strings.Repeat("a", 260), Invalid},
	} {
		if got := Host(tt.host); got != tt.want {
			t.Errorf("Host(%q) = %q, want %q", tt.host, got, tt.want)
		}
	}
}

func FuzzHost(f *testing.F) {
	f.Add("api.smsportal.com:80")
	f.Add("user:hunter2@host")
	f.Fuzz(func(t *testing.T, host string) {
		got := Host(host)
		if got == Invalid {
			return
		}
		if got != strings.ToLower(host) || strings.ContainsAny(got, "@/?#&=% \"<>\\") || len(got) > maxHost {
			t.Fatalf("Host(%q) = %q", host, got)
		}
	})
}

func BenchmarkHost(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Host("www.mymobileapi.com:443")
	}
}
