package problem

import "strings"

const maxID = 64

// cleanID is a request ID that may be shown, or "".
func cleanID(id string) string {
	if len(id) > maxID {
		return ""
	}
	for i := range len(id) {
		if !alphanumeric(id[i]) && strings.IndexByte("-_.", id[i]) < 0 {
			return ""
		}
	}
	return id
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
