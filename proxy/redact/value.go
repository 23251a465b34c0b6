package redact

import "strings"

// Value returns what may be shown of a value that a person wrote, such as an address
// in a configuration. Dots replace what precedes an '@', which may contain a
// password, and a query. If the two cannot be told apart, nothing is shown.
func Value(text string) string {
	const hidden = "..."
	address, query, _ := strings.Cut(text, "?")
	if strings.Contains(query, "@") {
		return hidden
	}
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		address = hidden + address[at:]
	}
	if query != "" {
		query = "?" + hidden
	}
	return address + query
}
