package smsportal

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
)

// fields are the parameters of a legacy call, by lower-case name. The real API
// accepts names in any case, from the query, a form or a multipart body.
type fields map[string]string

func (f fields) get(name string) string { return f[strings.ToLower(name)] }

// fieldsOf collects the fields of a request. The query takes precedence
// over the body.
func fieldsOf(r *Request) fields {
	f := fields{}
	_, query, _ := strings.Cut(r.Target, "?")
	f.addPairs(query)
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return f
	case kind == "application/x-www-form-urlencoded":
		f.addPairs(string(r.Body))
	case kind == "multipart/form-data":
		f.addParts(r.Body, parameters["boundary"])
	}
	return f
}

func (f fields) add(name, value string) {
	name = strings.ToLower(name)
	if _, taken := f[name]; !taken {
		f[name] = value
	}
}

// addPairs is more tolerant than url.ParseQuery, which drops a pair with a bad
// escape: addPairs keeps the value as it is.
func (f fields) addPairs(query string) {
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if pair == "" {
			continue
		}
		f.add(unescape(name), unescape(value))
	}
}

func (f fields) addParts(body []byte, boundary string) {
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := reader.NextPart()
		if err != nil {
			return
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return
		}
		f.add(part.FormName(), string(value))
	}
}

func unescape(s string) string {
	plain, err := url.QueryUnescape(s)
	if err != nil {
		return s
	}
	return plain
}
