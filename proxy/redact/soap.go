package redact

import (
	"strings"

	"tlslift/proxy/form"
)

// SOAPOperation returns the operation of the legacy web service (api.asmx) that a
// request asks for. It looks at the SOAPAction header (SOAP 1.1), else at the action
// parameter of the Content-Type (SOAP 1.2), else at the first element of the body.
// Operations are named THING_IN_OUT or THING_IN, with a closed set of things and
// formats, and are returned as written. It returns Other for any other operation, and
// "" if there is none.
func SOAPOperation(soapAction, contentType string, body []byte) string {
	action := strings.Trim(soapAction, "\" \t")
	if action == "" {
		action = form.Attribute(contentType, "action")
	}
	if action != "" {
		return operation(action[strings.LastIndexAny(action, "/#:")+1:])
	}
	if form.Of(contentType) != form.XML {
		return ""
	}
	name := bodyElement(view(body))
	if name == "" {
		return ""
	}
	return strings.Clone(operation(name)) // name points into the body
}

// operation returns name if it is a known operation, else Other.
func operation(name string) string {
	thing, format := name, ""
	for range 2 {
		i := strings.LastIndexByte(thing, '_')
		if i < 0 {
			break
		}
		switch thing[i+1:] {
		case "STR", "DS", "ZIP":
			thing, format = thing[:i], name[i:]
		}
	}
	switch thing {
	case "Credits", "Send", "Sent", "Reply", "Doc", "Groups_List",
		"ShortCode", "ShortCode_Update", "ShortCode_Get", "ShortCode_Count":
		if format != "" {
			return name
		}
	}
	return Other
}

// bodyElement returns the local name of the first element in the SOAP body.
func bodyElement(xml string) string {
	inside := false
	for {
		name, rest := form.Element(xml)
		if name == "" {
			return ""
		}
		if inside {
			return name
		}
		inside = name == "Body"
		xml = rest
	}
}
