package call

import (
	"strings"
	"testing"
)

func TestMethod(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]string{
		"GET": "GET", "HEAD": "HEAD", "POST": "POST", "PUT": "PUT", "DELETE": "DELETE", "CONNECT": "CONNECT", "OPTIONS": "OPTIONS",
		"TRACE": "TRACE", "PATCH": "PATCH",
		"get": "GET", "Post": "POST",
		"put": LabelOther, "head": LabelOther, "PROPFIND": LabelOther, "8861POST": LabelOther, "POST8861": LabelOther, "": LabelOther,
		"_other": LabelOther, "po\u017ft": LabelOther, // EqualFold alone would take the long s
	} {
		if got, known := Method(method); got != want || known != (want != LabelOther) {
			t.Errorf("%q: %q, %v", method, got, known)
		}
	}
}

func TestForeignMethod(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]bool{
		"GET": true, "PROPFIND": true, "M-SEARCH": true, "CCM_POST": true, "get": true, strings.Repeat("A", 32): true,
		strings.Repeat("A", 33): false, "": false, "8861POST": false, "A.B": false, "A+B": false, "\u212aEY": false, "[": false, "{": false, "@": false,
	} {
		if got := ForeignMethod(method); got != want {
			t.Errorf("%q: %v", method, got)
		}
	}
}
