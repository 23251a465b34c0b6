package form

import "strings"

// Media is a media type as it stands in a field, without its parameters (RFC 9110
// section 8.3.1).
func Media(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.Trim(media, " \t")
}

// Kind is what a body is by its Content-Type.
type Kind uint8

// The kinds. A body without a type is taken for an urlencoded form.
const (
	Other Kind = iota
	Urlencoded
	Multipart
	XML
)

// Of is the kind of a body with a Content-Type.
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
