package http1

import "net/http"

// fields is a header and the memory that backs its values, which are substrings of
// one head.
type fields struct {
	header http.Header
	values []string
}

const (
	usualFields = 8  // most heads have no more; a larger map costs four times as much
	maxKept     = 64 // values above which the memory is not reused
)

// add adds a field. The first value of a name needs no allocation of its own.
func (f *fields) add(name, value string) {
	if had := f.header[name]; had != nil {
		f.header[name] = append(had, value)
		return
	}
	n := len(f.values)
	f.values = append(f.values, value)
	f.header[name] = f.values[n : n+1 : n+1]
}

// reset removes all fields. It keeps the memory unless that has grown large.
func (f *fields) reset() {
	if f.header == nil || len(f.values) > maxKept {
		*f = fields{header: make(http.Header, usualFields), values: make([]string, 0, usualFields)}
		return
	}
	clear(f.header)
	clear(f.values)
	f.values = f.values[:0]
}
