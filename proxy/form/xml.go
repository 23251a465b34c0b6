package form

import "strings"

// Element returns the local name of the first start tag in xml, and what follows
// the name. It returns "" if there is no start tag or it is cut short.
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

// Text returns the raw text of an element up to the next tag. rest is what follows
// the element's name; see [Element]. complete is false if the text was cut short.
func Text(rest string) (text string, complete bool) {
	tag, text, ok := strings.Cut(rest, ">")
	if !ok || strings.HasSuffix(tag, "/") {
		return "", ok
	}
	text, _, complete = strings.Cut(text, "<")
	return text, complete
}
