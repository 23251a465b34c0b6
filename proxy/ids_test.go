package proxy

import (
	"net/http"
	"strings"
	"testing"
)

func TestCallerID(t *testing.T) {
	t.Parallel()
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	for _, tt := range []struct{ id, parent, want string }{
		{"", "", ""},
		{"a1b2-3.4_5", "", "a1b2-3.4_5"},
		{"6ba7b810-9dad-11d1-80b4-00c04fd430c8", "00-" + trace + "-00f067aa0ba902b7-01", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
		{"", "00-" + trace + "-00f067aa0ba902b7-01", trace},
		{"27821234567", "", ""},
		{"tel27821234567", "", ""},
		{"order-0821234567", "", ""},
		{"082-123-4567", "", ""},
		{"abc-123-456", "", "abc-123-456"},
		{"12345678-1234-1234-1234-12345678901a", "", "12345678-1234-1234-1234-12345678901a"},
		{"12345678-1234-1234-1234-123456789012", "", ""},
		{"17", "", "17"},
		{"+27821234567", "", ""},
		{"joe@example.com", "", ""},
		{"two words", "", ""},
		{"a\"b", "", ""},
		{"\u00e9", "", ""},
		{strings.Repeat("a", maxCallerID), "", strings.Repeat("a", maxCallerID)},
		{strings.Repeat("a", maxCallerID+1), "", ""},
		{"not plain", "00-" + trace + "-1-01", trace},
		{"", trace, ""},
		{"", "00-" + trace, ""},
		{"", "00-password-1-01", ""},
		{"", "00-" + strings.Repeat("0", 32) + "-1-01", ""},
	} {
		h := http.Header{}
		if tt.id != "" {
			h.Set("X-Request-Id", tt.id)
		}
		if tt.parent != "" {
			h.Set("traceparent", tt.parent)
		}
		if got := callerID(h); got != tt.want {
			t.Errorf("%q, %q: %q, want %q", tt.id, tt.parent, got, tt.want)
		}
	}
}
