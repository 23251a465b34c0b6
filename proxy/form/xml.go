package form

import "strings"

// Element is the local name of the first start tag in xml and what follows
// the name, "" when there is no further one or it is cut short.
func Element(xml string) (name, rest string) {
	for {
		i := strings.IndexByte(xml, '<')
		if i < 0 {
			return "", ""
		}
		xml = xml[i+1:]
		end := strings.IndexAny(xml, " \t\r\n/><")
		if end < 0 {
			return "", ""
		}
		if end == 0 || xml[0] == '?' || xml[0] == '!' || xml[end] == '<' {
			continue
		}
		name = xml[:end]
		return name[strings.IndexByte(name, ':')+1:], xml[end:]
	}
}

// Text is the text of an element as it stands in the document, up to the next tag.
// It is not complete if xml was cut short in it. rest is what follows the name, see
// [Element].
func Text(rest string) (text string, complete bool) {
	tag, text, ok := strings.Cut(rest, ">")
	if !ok || strings.HasSuffix(tag, "/") {
		return "", ok
	}
	text, _, complete = strings.Cut(text, "<")
	return text, complete
}
