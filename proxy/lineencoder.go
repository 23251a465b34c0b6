package proxy

import (
	"math"
	"strconv"
	"unicode/utf8"

	"go.uber.org/zap/zapcore"

	"tlslift/proxy/call"
)

// TimeLayout is how the log writes times: RFC 3339 with milliseconds.
const TimeLayout = "2006-01-02T15:04:05.000Z07:00"

// lineEncoder writes an outcome's line as zap's JSON encoder does, byte for byte
// (FuzzLine), without its general machinery: a line for each request would
// otherwise cost more than deciding about it. What is in a line is said once, by
// line.MarshalLogObject.
type lineEncoder struct {
	zapcore.ObjectEncoder // nil: a line has strings, numbers and truth values only
	buf                   []byte
}

// encode returns the line of an outcome that ended at o.End. It is valid until
// the next call.
func (e *lineEncoder) encode(level zapcore.Level, msg string, o *call.Outcome) []byte {
	e.buf = append(e.buf[:0], '{')
	e.AddString("level", level.String())
	e.key("ts")
	e.buf = append(e.buf, '"')
	e.buf = o.End.AppendFormat(e.buf, TimeLayout)
	e.buf = append(e.buf, '"')
	e.AddString("msg", msg)
	_ = (*line)(o).MarshalLogObject(e) // never fails
	e.buf = append(e.buf, '}', '\n')
	return e.buf
}

// key begins a field. Keys are our own words: nothing in them needs escaping.
func (e *lineEncoder) key(key string) {
	if len(e.buf) > 1 {
		e.buf = append(e.buf, ',')
	}
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, key...)
	e.buf = append(e.buf, '"', ':')
}

// AddString implements zapcore.ObjectEncoder.
func (e *lineEncoder) AddString(key, value string) {
	e.key(key)
	e.buf = append(e.buf, '"')
	for i := range len(value) {
		if c := value[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			e.buf = appendEscaped(append(e.buf, value[:i]...), value[i:])
			e.buf = append(e.buf, '"')
			return
		}
	}
	e.buf = append(e.buf, value...)
	e.buf = append(e.buf, '"')
}

// appendEscaped appends s with escapes (RFC 8259 section 7). What is not UTF-8
// becomes U+FFFD.
func appendEscaped(buf []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				buf = append(buf, `\ufffd`...)
			} else {
				buf = append(buf, s[i:i+size]...)
			}
			i += size
			continue
		}
		switch {
		case c == '"' || c == '\\':
			buf = append(buf, '\\', c)
		case c == '\n':
			buf = append(buf, '\\', 'n')
		case c == '\r':
			buf = append(buf, '\\', 'r')
		case c == '\t':
			buf = append(buf, '\\', 't')
		case c < ' ':
			buf = append(buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		default:
			buf = append(buf, c)
		}
		i++
	}
	return buf
}

// AddBool implements zapcore.ObjectEncoder.
func (e *lineEncoder) AddBool(key string, value bool) {
	e.key(key)
	e.buf = strconv.AppendBool(e.buf, value)
}

// AddInt implements zapcore.ObjectEncoder.
func (e *lineEncoder) AddInt(key string, value int) { e.AddInt64(key, int64(value)) }

// AddInt64 implements zapcore.ObjectEncoder.
func (e *lineEncoder) AddInt64(key string, value int64) {
	e.key(key)
	e.buf = strconv.AppendInt(e.buf, value, 10)
}

// AddFloat64 implements zapcore.ObjectEncoder. Milliseconds are whole
// thousandths, which are written without strconv's search for the shortest form.
func (e *lineEncoder) AddFloat64(key string, value float64) {
	e.key(key)
	thousandths := math.Round(value * 1000)
	if thousandths < 0 || thousandths > 1<<50 || thousandths/1000 != value {
		e.buf = strconv.AppendFloat(e.buf, value, 'f', -1, 64)
		return
	}
	n := int64(thousandths)
	e.buf = strconv.AppendInt(e.buf, n/1000, 10)
	if n %= 1000; n == 0 {
		return
	}
	e.buf = append(e.buf, '.', byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
	for e.buf[len(e.buf)-1] == '0' {
		e.buf = e.buf[:len(e.buf)-1]
	}
}
