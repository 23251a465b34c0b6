package http1

import (
	"errors"
	"strconv"
)

// Bounds of chunked framing (RFC 9112 7.1). Real clients send neither
// extensions nor trailers; both are read, bounded, and dropped.
const (
	maxChunkDigits  = 16       // of one chunk-size
	maxChunkExtras  = 16 << 10 // bytes of extensions and padding in one body
	maxTrailerBytes = 8 << 10  // bytes of the trailer section
)

var (
	errChunkSize    = errors.New("malformed chunk size")
	errChunkExtras  = errors.New("chunk extensions over their limit")
	errChunkEnd     = errors.New("chunk data without CRLF")
	errChunkLine    = errors.New("malformed line in chunked framing")
	errTrailers     = errors.New("trailer section over its limit")
	errBodyTooLarge = errors.New("body over its limit")
)

// chunkState is where in the framing the next byte stands.
type chunkState uint8

const (
	chunkSize     chunkState = iota // digits of a chunk-size
	chunkExtras                     // after the digits: padding, extensions
	chunkSizeLF                     // the LF of a size line
	chunkData                       // left bytes of data
	chunkDataCR                     // the CRLF behind the data
	chunkDataLF                     //
	chunkTrailer                    // at the start of a trailer line
	chunkInLine                     // inside a trailer line
	chunkTrailLF                    // the LF of a trailer line
	chunkFinalLF                    // the LF of the empty line
	chunkFinished                   // the body is complete
)

// chunkScanner takes the framing off a chunked body. It is strict: CRLF
// alone ends a line, and nothing but hex digits is a size. It is fed with
// whatever arrived and keeps its place in between.
type chunkScanner struct {
	state   chunkState
	digits  int
	size    int64 // of the current chunk, while its digits are read
	left    int64 // data bytes of the current chunk not yet seen
	total   int64 // data bytes announced so far
	limit   int64 // of total; 0 = none
	extras  int
	trailer int
}

// next consumes bytes of src up to the end of the next run of data, and
// returns that run (part of src; empty when src ends before one) and how many
// bytes were used. After an error the scanner must not be used again.
func (s *chunkScanner) next(src []byte) (data []byte, used int, err error) {
	for used < len(src) && s.state != chunkFinished {
		if s.state == chunkData {
			n := int(min(int64(len(src)-used), s.left))
			data = src[used : used+n]
			s.left -= int64(n)
			if s.left == 0 {
				s.state = chunkDataCR
			}
			return data, used + n, nil
		}
		if err := s.step(src[used]); err != nil {
			return nil, used, err
		}
		used++
	}
	return nil, used, nil
}

// step takes one byte of framing.
func (s *chunkScanner) step(c byte) error {
	switch s.state {
	case chunkSize:
		return s.sizeByte(c)
	case chunkExtras:
		return s.extraByte(c)
	case chunkSizeLF:
		return s.endSize(c)
	case chunkDataCR:
		return s.expect(c, '\r', chunkDataLF, errChunkEnd)
	case chunkDataLF:
		s.size, s.digits = 0, 0
		return s.expect(c, '\n', chunkSize, errChunkEnd)
	case chunkFinalLF:
		return s.expect(c, '\n', chunkFinished, errChunkLine)
	default:
		return s.trailerByte(c)
	}
}

func (s *chunkScanner) expect(c, want byte, then chunkState, err error) error {
	if c != want {
		return err
	}
	s.state = then
	return nil
}

func (s *chunkScanner) sizeByte(c byte) error {
	if isHex(c) {
		s.digits++
		if s.digits > maxChunkDigits || s.size >= 1<<58 {
			return errChunkSize
		}
		s.size = s.size<<4 | int64(unhex(c))
		return nil
	}
	if s.digits == 0 {
		return errChunkSize
	}
	return s.extraByte(c)
}

// extraByte takes a byte behind the digits. Old stacks pad the size with
// spaces; anything else there must be an extension.
func (s *chunkScanner) extraByte(c byte) error {
	padding := c == ' ' || c == '\t'
	switch {
	case c == '\r':
		s.state = chunkSizeLF
		return nil
	case s.state == chunkSize && !padding && c != ';', c < ' ' && !padding, c == 0x7f:
		return errChunkSize
	}
	s.state = chunkExtras
	s.extras++
	if s.extras > maxChunkExtras {
		return errChunkExtras
	}
	return nil
}

func (s *chunkScanner) endSize(c byte) error {
	if c != '\n' {
		return errChunkLine
	}
	if s.size == 0 {
		s.state = chunkTrailer
		return nil
	}
	if s.limit > 0 && s.size > s.limit-s.total {
		return errBodyTooLarge
	}
	s.total += s.size
	s.left = s.size
	s.state = chunkData
	return nil
}

func (s *chunkScanner) trailerByte(c byte) error {
	s.trailer++
	if s.trailer > maxTrailerBytes {
		return errTrailers
	}
	switch {
	case s.state == chunkTrailLF:
		return s.expect(c, '\n', chunkTrailer, errChunkLine)
	case c == '\r' && s.state == chunkTrailer:
		s.state = chunkFinalLF
	case c == '\r':
		s.state = chunkTrailLF
	case c < ' ' && c != '\t', c == 0x7f:
		return errChunkLine
	default:
		s.state = chunkInLine
	}
	return nil
}

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// AppendChunk appends data to dst as one chunk in its plainest form. Data must
// not be empty: that would end the body.
func AppendChunk(dst, data []byte) []byte {
	dst = strconv.AppendUint(dst, uint64(len(data)), 16)
	dst = append(dst, "\r\n"...)
	dst = append(dst, data...)
	return append(dst, "\r\n"...)
}

// LastChunk ends a chunked body without trailers.
const LastChunk = "0\r\n\r\n"
