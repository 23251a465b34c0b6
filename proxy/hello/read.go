package hello

import (
	"errors"
	"fmt"
	"io"
)

// readChunk is the initial size of Read's buffer, in bytes. Most old hellos are
// below 300 bytes, and a slow client must cost little more than its socket.
const readChunk = 512

// maxEmptyReads is how many times in a row a reader may return no bytes and no
// error.
const maxEmptyReads = 100

// Read reads one ClientHello of at most limit bytes from r. raw is everything that
// was read, even with an error: the hello and what arrived with it, for replay. The
// caller must set deadlines. Errors are those of Parse, ErrTooLarge, or the
// reader's. An end of the stream is io.ErrUnexpectedEOF within the hello, and
// io.EOF before it.
func Read(r io.Reader, limit int) (h *ClientHello, raw []byte, err error) {
	return ReadWithin(r, limit, func(int) bool { return true })
}

// ReadWithin is Read with a memory budget: it calls more before it takes n bytes
// beyond Usual. If more returns false, the error is ErrTooLarge.
func ReadWithin(r io.Reader, limit int, more func(n int) bool) (h *ClientHello, raw []byte, err error) {
	var a assembler
	buf := make([]byte, 0, readChunk)
	empty := 0
	for {
		need, err := a.advance(buf)
		switch {
		case err == nil:
			h, err = a.hello(buf)
			return h, buf, err
		case !errors.Is(err, ErrIncomplete):
			return nil, buf, err
		case need > limit:
			return nil, buf, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
		}
		if len(buf) == cap(buf) {
			size := min(4*cap(buf), limit)
			if cap(buf) < Usual {
				size = min(size, Usual)
			}
			if size > Usual && !more(2*(size-cap(buf))) { // twice, as the message may be copied
				return nil, buf, fmt.Errorf("%w: no memory is free for more than %d bytes", ErrTooLarge, len(buf))
			}
			buf = append(make([]byte, 0, size), buf...)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if n > 0 {
			empty = 0
			continue
		}
		if empty++; empty == maxEmptyReads && err == nil {
			err = io.ErrNoProgress
		}
		if err != nil {
			if errors.Is(err, io.EOF) && len(buf) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, buf, fmt.Errorf("read ClientHello: %w", err)
		}
	}
}
