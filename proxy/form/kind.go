package form

import "strings"

// Media returns the media type of a Content-Type value, without parameters (RFC
// 9110 section 8.3.1).
func Media(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.Trim(media, " \t")
}

// Kind is the kind of a body, according to its Content-Type.
type Kind uint8

// The kinds. A body without a type counts as a urlencoded form.
const (
	Other Kind = iota
	Urlencoded
	Multipart
	XML
)

// Of returns the kind of a body with the given Content-Type.
func Of(contentType string) Kind {
	switch media := Media(contentType); {
	case media == "", strings.EqualFold(media, "application/x-www-form-urlencoded"):
		return Urlencoded
	case strings.EqualFold(media, "multipart/form-data"):
		return Multipart
	case strings.EqualFold(media, "text/xml"), strings.EqualFold(media, "application/soap+xml"),
		strings.EqualFold(media, "application/xml"):
		return XML
	default:
		return Other
	}
}
