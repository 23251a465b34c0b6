package call

import (
	"net/http"
	"strings"
)

// maxMethod is the length limit for the method of a foreign request, in bytes; the
// longest registered one has 17.
const maxMethod = 32

// Method looks up a method in the closed set that our hosts are called with: RFC 9110
// section 9.3 and PATCH (RFC 5789). Some old clients write get and post in lower
// case. word is what is sent upstream and logged. For any other method it is
// LabelOther, since the method may be the end of a message.
func Method(method string) (word string, known bool) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace, http.MethodPatch:
		return method, true
	}
	for _, m := range [...]string{http.MethodGet, http.MethodPost} {
		if len(method) == len(m) && strings.EqualFold(method, m) {
			return m, true
		}
	}
	return LabelOther, false
}

// ForeignMethod reports whether a request for a foreign host may use the method: up
// to 32 letters, hyphens and underscores.
func ForeignMethod(method string) bool {
	other := func(r rune) bool { return (r|0x20 < 'a' || r|0x20 > 'z') && r != '-' && r != '_' }
	return method != "" && len(method) <= maxMethod && !strings.ContainsFunc(method, other)
}
