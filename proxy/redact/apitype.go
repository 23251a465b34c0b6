package redact

import (
	"strings"

	"tlslift/proxy/form"
)

// Other is what APIType, APITypeForm and SOAPOperation return for a value that is not
// a known one, or not the only one.
const Other = "other"

// apiTypes are the known values of the legacy API's Type parameter
// (docs.smsportal.com/docs/http).
var apiTypes = [...]string{"sendparam", "send", "credits", "sent", "replies"}

// APIType returns the value of the Type parameter in a raw query: one of apiTypes,
// Other, or "" if there is none. Name and value are unescaped and matched ignoring
// case; other pairs may be broken. Two Types that differ are Other: the server joins
// them.
func APIType(rawQuery string) string { return apiType(rawQuery, false) }

// apiType ignores the last pair if it may be cut short.
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

// merge combines another raw Type value with what was found before.
func merge(found, value string) string {
	for _, known := range apiTypes {
		if form.Is(value, known) && (found == "" || found == known) {
			return known
		}
	}
	return Other
}

// APITypeForm is APIType for a body: an urlencoded form, a multipart form, or a body
// without a Content-Type, which is taken for the former. It reads at most the first
// form.Prefix bytes.
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
