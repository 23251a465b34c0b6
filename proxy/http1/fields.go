package http1

import "net/http"

// fields is a header and the memory of its values, which are parts of one head.
type fields struct {
	header http.Header
	values []string
}

const (
	usualFields = 8  // at most, as a rule; a map of more costs four times as much
	maxKept     = 64 // fields beyond which the memory is not kept
)

// add adds a field. The first of a name costs no allocation of its own.
func (f *fields) add(name, value string) {
	if had := f.header[name]; had != nil {
		f.header[name] = append(had, value)
		return
	}
	n := len(f.values)
	f.values = append(f.values, value)
	f.header[name] = f.values[n : n+1 : n+1]
}

// reset forgets all fields and keeps the memory, unless that has grown large.
func (f *fields) reset() {
	if f.header == nil || len(f.values) > maxKept {
		*f = fields{header: make(http.Header, usualFields), values: make([]string, 0, usualFields)}
		return
	}
	clear(f.header)
	clear(f.values)
	f.values = f.values[:0]
}
