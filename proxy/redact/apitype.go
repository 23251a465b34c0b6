package redact

import "strings"

// Other is what APIType, APITypeForm and SOAPOperation return for a value
// that is there but not a known one, or not the only one.
const Other = "other"

// apiTypes are the known values of the legacy API's Type parameter
// (docs.smsportal.com/docs/http).
var apiTypes = [...]string{"sendparam", "send", "credits", "sent", "replies"}

// APIType is the value of the Type parameter in a raw query: one of apiTypes,
// Other, or "" when there is none. Name and value are matched without regard
// to case and with escapes undone; other pairs may be as broken as they like.
// Two Types that differ are Other: the server joins them.
func APIType(rawQuery string) string { return apiType(rawQuery, false) }

// apiType leaves out the last pair if it may have been cut short.
func apiType(raw string, cut bool) string {
	found := ""
	param(raw, "type", func(value string, last bool) bool {
		if cut && last {
			return true
		}
		found = merge(found, value)
		return found != Other
	})
	return found
}

// merge joins a further raw Type value to what was found before.
func merge(found, value string) string {
	for _, known := range apiTypes {
		if is(value, known) && (found == "" || found == known) {
			return known
		}
	}
	return Other
}

// APITypeForm is APIType for a body: an urlencoded form, a multipart form, or
// a body without a Content-Type, which is taken for the former. It looks at
// the first Prefix bytes; fewer may be handed over.
func APITypeForm(body []byte, contentType string) string {
	raw, cut := view(body), len(body) >= Prefix
	switch bodyOf(contentType) {
	case bodyForm:
		return apiType(raw, cut)
	case bodyMultipart:
		found := ""
		parts(raw, contentType, func(name, value string, complete bool) bool {
			if complete && strings.EqualFold(name, "type") {
				found = merge(found, value)
			}
			return found != Other
		})
		return found
	default:
		return ""
	}
}

// bodyKind is what a body is by its Content-Type.
type bodyKind uint8

const (
	bodyOther bodyKind = iota
	bodyForm
	bodyMultipart
	bodyXML
)

func bodyOf(contentType string) bodyKind {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.Trim(media, " \t")
	switch {
	case media == "", strings.EqualFold(media, "application/x-www-form-urlencoded"):
		return bodyForm
	case strings.EqualFold(media, "multipart/form-data"):
		return bodyMultipart
	case strings.EqualFold(media, "text/xml"), strings.EqualFold(media, "application/soap+xml"),
		strings.EqualFold(media, "application/xml"):
		return bodyXML
	default:
		return bodyOther
	}
}
