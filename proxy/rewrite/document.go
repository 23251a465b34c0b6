package rewrite

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"slices"
	"strings"

	"tlslift/proxy/form"
)

// Namespaces of the documents, and of the elements that contain addresses.
const (
	nsWSDL   = "http://schemas.xmlsoap.org/wsdl/"
	nsSOAP   = "http://schemas.xmlsoap.org/wsdl/soap/"
	nsSOAP12 = "http://schemas.xmlsoap.org/wsdl/soap12/"
	nsHTTP   = "http://schemas.xmlsoap.org/wsdl/http/"
	nsWSDL2  = "http://www.w3.org/ns/wsdl"
	nsSchema = "http://www.w3.org/2001/XMLSchema"
)

// place is an element and its parent, which together determine what the element
// means.
type place struct{ parent, element xml.Name }

// addresses returns the attribute of an element that contains an address, or "" (WSDL
// 1.1, 2.1.1, 3.8 and 4.4; WSDL 2.0, 2.15 and 4; XML Schema 1.1 part 1, 4.2).
func addresses(p place) (attribute string) {
	switch p {
	case place{xml.Name{Space: nsWSDL, Local: "port"}, xml.Name{Space: nsSOAP, Local: "address"}},
		place{xml.Name{Space: nsWSDL, Local: "port"}, xml.Name{Space: nsSOAP12, Local: "address"}},
		place{xml.Name{Space: nsWSDL, Local: "port"}, xml.Name{Space: nsHTTP, Local: "address"}},
		place{xml.Name{Space: nsWSDL, Local: "definitions"}, xml.Name{Space: nsWSDL, Local: "import"}},
		place{xml.Name{Space: nsWSDL2, Local: "description"}, xml.Name{Space: nsWSDL2, Local: "import"}},
		place{xml.Name{Space: nsWSDL2, Local: "description"}, xml.Name{Space: nsWSDL2, Local: "include"}}:
		return "location"
	case place{xml.Name{Space: nsWSDL2, Local: "service"}, xml.Name{Space: nsWSDL2, Local: "endpoint"}}:
		return "address"
	case place{xml.Name{Space: nsSchema, Local: "schema"}, xml.Name{Space: nsSchema, Local: "import"}},
		place{xml.Name{Space: nsSchema, Local: "schema"}, xml.Name{Space: nsSchema, Local: "include"}},
		place{xml.Name{Space: nsSchema, Local: "schema"}, xml.Name{Space: nsSchema, Local: "redefine"}},
		place{xml.Name{Space: nsSchema, Local: "schema"}, xml.Name{Space: nsSchema, Local: "override"}}:
		return "schemaLocation"
	default:
		return ""
	}
}

// described reports whether root is the root element of a WSDL or XML schema
// document.
func described(root xml.Name) bool {
	switch root {
	case xml.Name{Space: nsWSDL, Local: "definitions"}, xml.Name{Space: nsWSDL2, Local: "description"}, xml.Name{Space: nsSchema, Local: "schema"}:
		return true
	default:
		return false
	}
}

// IsXML reports whether a WSDL or XML schema document may have the media type (RFC
// 7303): application/xml, text/xml, or any +xml.
func IsXML(contentType string) bool {
	media := strings.ToLower(form.Media(contentType))
	return media == "text/xml" || media == "application/xml" || strings.HasSuffix(media, "+xml")
}

// Describes reports whether a body, or the beginning of one, is a WSDL or XML
// schema document.
func Describes(beginning []byte, contentType string) bool {
	wide := len(beginning) > 1 && (beginning[0] == 0 || beginning[1] == 0 || beginning[0] >= 0xfe && beginning[1] >= 0xfe) // UTF-16
	// Most answers are ASCII, and contain none of the namespaces.
	if !wide && !bytes.Contains(beginning, []byte(nsWSDL)) && !bytes.Contains(beginning, []byte(nsWSDL2)) && !bytes.Contains(beginning, []byte(nsSchema)) {
		return false
	}
	root, ok := rootOf(beginning, contentType)
	return ok && described(root)
}

// Begins reports whether the beginning of a body contains its root element.
func Begins(beginning []byte, contentType string) bool {
	_, ok := rootOf(beginning, contentType)
	return ok
}

// rootOf returns the root element of a document, and whether it could be read.
func rootOf(beginning []byte, contentType string) (xml.Name, bool) {
	text, _, _, err := markup(beginning, contentType)
	if err != nil {
		return xml.Name{}, false
	}
	for d := decoder(text); ; {
		token, err := d.Token()
		if err != nil {
			return xml.Name{}, false
		}
		if root, ok := token.(xml.StartElement); ok {
			return root.Name, true
		}
	}
}

// AsksForDescription reports whether toolchains use such a target, path and query, to
// ask for a WSDL or XML schema document.
func AsksForDescription(target string) bool {
	path, query, _ := strings.Cut(target, "?")
	if i := strings.IndexAny(query, "=&"); i >= 0 {
		query = query[:i]
	}
	suffix := path[strings.LastIndexByte(path, '.')+1:]
	return strings.EqualFold(query, "wsdl") || strings.EqualFold(query, "singleWsdl") || strings.EqualFold(query, "xsd") ||
		strings.EqualFold(suffix, "wsdl") || strings.EqualFold(suffix, "xsd")
}

// Errors of Document: the body looks like a WSDL or XML schema, but cannot be
// changed.
var (
	errCharset = errors.New("rewrite: the document's charset is not supported")
	errDepth   = errors.New("rewrite: the document is nested too deeply")
)

// maxDepth is how deep elements may be nested. Real documents stay below 30.
const maxDepth = 256

// Document rewrites the addresses in a WSDL or XML schema document so the caller can
// reach them: locations of services, and of imported or included documents. Every
// other byte stays the same, including namespaces (which are identifiers),
// documentation and comments. The charset comes from the body's byte order mark, the
// media type or the declaration.
//
// The result is body itself if nothing changes, as in any other document. An error
// means that the document may need changes but cannot be read; the result is body
// then too.
func (v View) Document(body []byte, contentType string) ([]byte, error) {
	text, width, offset, err := markup(body, contentType)
	if err != nil {
		return body, err
	}
	edits, err := v.edits(text)
	if err != nil || len(edits) == 0 {
		return body, err
	}
	out := make([]byte, 0, len(body)+64*len(edits))
	done := 0
	for _, e := range edits {
		out = append(out, body[done:offset+e.from*width]...)
		for _, b := range []byte(e.text) {
			switch {
			case width == 1:
				out = append(out, b)
			case body[0] == 0 || body[0] == 0xfe: // big endian
				out = append(out, 0, b)
			default:
				out = append(out, b, 0)
			}
		}
		done = offset + e.to*width
	}
	return append(out, body[done:]...), nil
}

// edit replaces a range of the markup.
type edit struct {
	from, to int
	text     string
}

// edits tokenizes the markup and returns its edits. In any other kind of document, it
// stops at the root element.
func (v View) edits(text []byte) ([]edit, error) {
	d := decoder(text)
	var edits []edit
	var open []xml.Name
	for {
		from := int(d.InputOffset())
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return edits, nil
		case err != nil && len(open) == 0 && !errors.Is(err, errCharset):
			return nil, nil // not XML
		case err != nil:
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(open) == 0 && !described(t.Name) {
				return nil, nil
			}
			if len(open) == maxDepth {
				return nil, errDepth
			}
			if len(open) > 0 {
				if name := addresses(place{open[len(open)-1], t.Name}); name != "" {
					edits = v.edit(edits, text[from:d.InputOffset()], from, name)
				}
			}
			open = append(open, t.Name)
		case xml.EndElement:
			if open = open[:len(open)-1]; len(open) == 0 {
				return edits, nil
			}
		}
	}
}

// decoder returns a decoder for markup. Only the markup and addresses matter, and
// these are ASCII.
func decoder(text []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = func(charset string, r io.Reader) (io.Reader, error) {
		if !asciiCompatible(charset) && !strings.HasPrefix(strings.ToLower(charset), "utf-16") {
			return nil, errCharset
		}
		return r, nil
	}
	return d
}

// edit changes one attribute of a start tag, which is well formed (XML 1.0, 3.1) and
// begins at offset.
func (v View) edit(edits []edit, tag []byte, offset int, name string) []edit {
	const space = " \t\r\n"
	i := 1 + bytes.IndexAny(tag[1:], space+"/>")
	for {
		i += len(tag[i:]) - len(bytes.TrimLeft(tag[i:], space))
		equals := bytes.IndexByte(tag[i:], '=')
		if equals < 0 {
			return edits
		}
		found := string(bytes.TrimRight(tag[i:i+equals], space)) == name
		i += equals + 1
		i += len(tag[i:]) - len(bytes.TrimLeft(tag[i:], space))
		n := bytes.IndexByte(tag[i+1:], tag[i])
		if n < 0 {
			return edits
		}
		value := tag[i+1 : i+1+n]
		if found {
			address := bytes.Trim(value, space)
			if changed, ok := v.markedUp().url(string(address)); ok {
				from := offset + i + 1 + bytes.Index(value, address)
				return append(edits, edit{from, from + len(address), changed})
			}
			return edits
		}
		i += n + 2
	}
}

// markedUp returns the view without a base path that would be markup, or not ASCII,
// in an attribute. Then the meaning of a relative address with ".." is unknown, and
// it stays.
func (v View) markedUp() View {
	if v.Base != nil && strings.ContainsFunc(v.Base.Path, func(r rune) bool { return r >= 0x80 || strings.ContainsRune("&<>\"'", r) }) {
		base := *v.Base
		base.Path = ""
		v.Base = &base
	}
	return v
}

// markup returns a document with one ASCII byte for each character or part of one.
// Anything that is not ASCII becomes "x": none of the markup that matters is.
// Position i in text is position offset + width*i in the body.
func markup(body []byte, contentType string) (text []byte, width, offset int, err error) {
	_, params, _ := mime.ParseMediaType(contentType)
	width, low := 1, 0
	switch {
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		offset = 3
	case bytes.HasPrefix(body, []byte("\xfe\xff")):
		width, offset, low = 2, 2, 1
	case bytes.HasPrefix(body, []byte("\xff\xfe")):
		width, offset, low = 2, 2, 0
	case bytes.HasPrefix(body, []byte{0, '<'}):
		width, low = 2, 1
	case bytes.HasPrefix(body, []byte{'<', 0}):
		width, low = 2, 0
	case params["charset"] != "" && !asciiCompatible(params["charset"]):
		return nil, 0, 0, errCharset
	}
	text = make([]byte, 0, len(body)/width)
	for i := offset; i+width <= len(body); i += width {
		b := body[i+low]
		if b >= 0x80 || width == 2 && body[i+1-low] != 0 {
			b = 'x'
		}
		text = append(text, b)
	}
	return text, width, offset, nil
}

// asciiCompatible reports whether a byte of markup in the charset always means its
// ASCII character, even within multi-byte characters.
func asciiCompatible(charset string) bool {
	charset = strings.ToLower(charset)
	switch charset {
	case "utf-8", "utf8", "us-ascii", "ascii", "gb2312", "gbk", "gb18030", "big5", "shift_jis", "tis-620":
		return true
	}
	families := []string{"iso-8859-", "iso8859-", "windows-125", "cp125", "koi8-", "euc-"}
	return slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(charset, f) })
}
