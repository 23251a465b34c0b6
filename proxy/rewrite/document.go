package rewrite

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"strings"

	"tlslift/proxy/form"
)

// Namespaces of the documents and of the elements that hold addresses.
const (
	nsWSDL   = "http://schemas.xmlsoap.org/wsdl/"
	nsSOAP   = "http://schemas.xmlsoap.org/wsdl/soap/"
	nsSOAP12 = "http://schemas.xmlsoap.org/wsdl/soap12/"
	nsHTTP   = "http://schemas.xmlsoap.org/wsdl/http/"
	nsWSDL2  = "http://www.w3.org/ns/wsdl"
	nsSchema = "http://www.w3.org/2001/XMLSchema"
)

// place is an element by its parent, which together say what it means.
type place struct{ parent, element xml.Name }

// addresses are the attributes that name an address (WSDL 1.1, 2.1.1, 3.8 and
// 4.4; WSDL 2.0, 2.15 and 4; XML Schema 1.1 part 1, 4.2).
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

// described reports a root element of a WSDL or XML schema document.
func described(root xml.Name) bool {
	switch root {
	case xml.Name{Space: nsWSDL, Local: "definitions"}, xml.Name{Space: nsWSDL2, Local: "description"}, xml.Name{Space: nsSchema, Local: "schema"}:
		return true
	default:
		return false
	}
}

// IsXML reports a media type that a WSDL or XML schema document may have (RFC
// 7303): application/xml, text/xml, and any +xml.
func IsXML(contentType string) bool {
	media := strings.ToLower(form.Media(contentType))
	return media == "text/xml" || media == "application/xml" || strings.HasSuffix(media, "+xml")
}

// Describes reports whether a body, or the beginning of one, is a WSDL or XML
// schema document.
func Describes(beginning []byte, contentType string) bool {
	// Most answers are in ASCII, and name none of the namespaces.
	if !isWide(beginning) && !named(beginning) {
		return false
	}
	root, ok := rootOf(beginning, contentType)
	return ok && described(root)
}

// Begins reports whether the root element is in the beginning of a body.
func Begins(beginning []byte, contentType string) bool {
	_, ok := rootOf(beginning, contentType)
	return ok
}

// rootOf is the root element of a document, as far as it can be read.
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

// AsksForDescription reports whether a target, path and query, is one by which
// toolchains ask for a WSDL or XML schema document.
func AsksForDescription(target string) bool {
	path, query, _ := strings.Cut(target, "?")
	if i := strings.IndexAny(query, "=&"); i >= 0 {
		query = query[:i]
	}
	suffix := path[strings.LastIndexByte(path, '.')+1:]
	return strings.EqualFold(query, "wsdl") || strings.EqualFold(query, "singleWsdl") || strings.EqualFold(query, "xsd") ||
		strings.EqualFold(suffix, "wsdl") || strings.EqualFold(suffix, "xsd")
}

// isWide reports UTF-16.
func isWide(body []byte) bool {
	return len(body) > 1 && (body[0] == 0 || body[1] == 0 || body[0] >= 0xfe && body[1] >= 0xfe)
}

// named reports whether a body, in a charset that is like ASCII, has the name of
// one of the root elements' namespaces.
func named(body []byte) bool {
	return bytes.Contains(body, []byte(nsWSDL)) || bytes.Contains(body, []byte(nsWSDL2)) || bytes.Contains(body, []byte(nsSchema))
}

// Errors of Document: it looks like a WSDL or XML schema but cannot be changed.
var (
	errCharset = errors.New("rewrite: the document's charset is not supported")
	errDepth   = errors.New("rewrite: the document is nested too deeply")
)

// maxDepth is how deep elements may be nested. Real documents stay below 30.
const maxDepth = 256

// Document makes the addresses in a WSDL or XML schema document such that the
// caller can reach them: locations of services, and of documents that are
// imported or included. Namespaces, which are identifiers, documentation and
// comments stay, as does every other byte. The body is taken in the charset of
// its byte order mark, of the media type or of its declaration.
//
// The result is body itself when nothing changes, as in any other document. An
// error says that it might be one to change, and cannot be read; the body stays
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

// An edit replaces a stretch of the markup.
type edit struct {
	from, to int
	text     string
}

// edits reads the markup by tokens, and only as far as its root element in a
// document that is none of ours.
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
			return nil, nil // whatever it is
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

// decoder reads markup. Only that and addresses matter, and these are ASCII.
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

// edit changes one attribute of a start tag, which is well formed (XML 1.0,
// 3.1) and begins at offset.
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

// markedUp is the view with nothing in it that would be markup, or not ASCII,
// in an attribute. What a relative address with ".." means is not known then,
// and it stays.
func (v View) markedUp() View {
	if v.Base != nil && strings.ContainsFunc(v.Base.Path, func(r rune) bool { return r >= 0x80 || strings.ContainsRune("&<>\"'", r) }) {
		base := *v.Base
		base.Path = ""
		v.Base = &base
	}
	return v
}

// markup is a document as one ASCII byte for each character or part of one:
// what is not ASCII, which no markup of ours is, is "x". A place in it is one
// in the body at offset + width * place.
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

// asciiCompatible reports a charset in which a byte of markup is always that
// of ASCII, also within characters of several bytes.
func asciiCompatible(charset string) bool {
	charset = strings.ToLower(charset)
	switch charset {
	case "utf-8", "utf8", "us-ascii", "ascii", "gb2312", "gbk", "gb18030", "big5", "shift_jis", "tis-620":
		return true
	}
	for _, p := range []string{"iso-8859-", "iso8859-", "windows-125", "cp125", "koi8-", "euc-"} {
		if strings.HasPrefix(charset, p) {
			return true
		}
	}
	return false
}
