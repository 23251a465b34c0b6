package http1

import (
	"errors"
	"strconv"
)

// Limits of chunked framing (RFC 9112 section 7.1). Real clients send neither
// extensions nor trailers; both are read up to a limit, and dropped.
const (
	maxChunkDigits  = 16       // in one chunk-size
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

// chunkState is the position of the next byte in the framing.
type chunkState uint8

const (
	chunkSize      chunkState = iota // digits of a chunk-size
	chunkPadding                     // whitespace after the digits
	chunkExtension                   // after a semicolon
	chunkSizeLF                      // the LF of a size line
	chunkData                        // the data; its remaining bytes are in left
	chunkDataCR                      // the CR after the data
	chunkDataLF                      // the LF after the data
	chunkTrailer                     // at the start of a trailer line
	chunkName                        // in the name of a trailer
	chunkValue                       // after the colon of a trailer
	chunkTrailerLF                   // the LF of a trailer line
	chunkFinalLF                     // the LF of the empty line
	chunkFinished                    // the body is complete
)

// chunkScanner decodes a chunked body. Unless lenient, only CRLF ends a line, and a
// size is hex digits with optional padding. It keeps its position between calls, so
// the input may arrive in pieces.
type chunkScanner struct {
	lenient bool // for answers: accepts LF line endings and any extensions and trailers
	state   chunkState
	digits  int
	size    int64 // of the current chunk, as far as its digits were read
	left    int64 // data bytes of the current chunk still to come
	total   int64 // data bytes announced so far
	limit   int64 // of total; 0 means no limit
	extras  int
	trailer int
}

// next consumes src up to the end of the next run of data. It returns that run, a
// part of src that may be empty, and how many bytes it used. After an error the
// scanner must not be used again.
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

// step consumes one byte of framing.
func (s *chunkScanner) step(c byte) error {
	switch s.state {
	case chunkSize, chunkPadding, chunkExtension:
		return s.sizeByte(c)
	case chunkSizeLF:
		return s.endSize(c)
	case chunkDataCR:
		if s.lenient && c == '\n' {
			return s.endData(c)
		}
		return s.expect(c, '\r', chunkDataLF, errChunkEnd)
	case chunkDataLF:
		return s.endData(c)
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

// sizeByte consumes a byte of a size line. Old stacks pad the size with spaces.
func (s *chunkScanner) sizeByte(c byte) error {
	padding := c == ' ' || c == '\t'
	switch {
	case s.state == chunkSize && isHex(c):
		s.digits++
		if s.digits > maxChunkDigits || s.size >= 1<<58 {
			return errChunkSize
		}
		s.size = s.size<<4 | int64(unhex(c))
		return nil
	case s.digits == 0:
		return errChunkSize
	case c == '\r':
		s.state = chunkSizeLF
		return nil
	case c == '\n' && s.lenient:
		return s.endSize(c)
	case s.state == chunkExtension && (s.lenient || c >= ' ' && c != 0x7f || padding):
	case s.state == chunkSize && c == ';':
		s.state = chunkExtension
	case padding:
		s.state = chunkPadding
	default:
		return errChunkSize
	}
	if s.extras++; s.extras > maxChunkExtras {
		return errChunkExtras
	}
	return nil
}

func (s *chunkScanner) endSize(c byte) error {
	switch {
	case c != '\n':
		return errChunkLine
	case s.size == 0:
		s.state = chunkTrailer
		return nil
	case s.limit > 0 && s.size > s.limit-s.total:
		return errBodyTooLarge
	}
	s.total += s.size
	s.left = s.size
	s.state = chunkData
	return nil
}

func (s *chunkScanner) endData(c byte) error {
	s.size, s.digits = 0, 0
	return s.expect(c, '\n', chunkSize, errChunkEnd)
}

// trailerByte consumes a byte of the trailer section, which is a sequence of field
// lines.
func (s *chunkScanner) trailerByte(c byte) error {
	if s.trailer++; s.trailer > maxTrailerBytes {
		return errTrailers
	}
	switch {
	case s.state == chunkTrailerLF:
		return s.expect(c, '\n', chunkTrailer, errChunkLine)
	case c == '\n' && s.lenient:
		if s.state == chunkTrailer {
			s.state = chunkFinished
		} else {
			s.state = chunkTrailer
		}
	case c == '\r' && s.state == chunkTrailer:
		s.state = chunkFinalLF
	case c == '\r' && (s.lenient || s.state == chunkValue):
		s.state = chunkTrailerLF
	case s.lenient:
		s.state = chunkValue
	case s.state == chunkValue:
		if c < ' ' && c != '\t' || c == 0x7f {
			return errChunkLine
		}
	case c == ':' && s.state == chunkName:
		s.state = chunkValue
	case isTokenByte(c):
		s.state = chunkName
	default:
		return errChunkLine
	}
	return nil
}

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// AppendChunk appends data to dst as one chunk without extensions. data must not be
// empty, because an empty chunk ends the body.
func AppendChunk(dst, data []byte) []byte {
	dst = strconv.AppendUint(dst, uint64(len(data)), 16)
	dst = append(dst, "\r\n"...)
	dst = append(dst, data...)
	return append(dst, "\r\n"...)
}

// LastChunk ends a chunked body without trailers.
const LastChunk = "0\r\n\r\n"
