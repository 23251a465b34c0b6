package redact

import (
	"strings"

	"tlslift/proxy/form"
)

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
	params(raw, "type", func(value string, last bool) bool {
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
		if form.Is(value, known) && (found == "" || found == known) {
			return known
		}
	}
	return Other
}

// APITypeForm is APIType for a body: an urlencoded form, a multipart form, or
// a body without a Content-Type, which is taken for the former. It looks at
// the first form.Prefix bytes; fewer may be handed over.
func APITypeForm(body []byte, contentType string) string {
	raw, cut := view(body), len(body) >= form.Prefix
	switch form.Of(contentType) {
	case form.Urlencoded:
		return apiType(raw, cut)
	case form.Multipart:
		found := ""
		form.Parts(raw, form.Attribute(contentType, "boundary"), func(name, value string, complete bool) bool {
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
