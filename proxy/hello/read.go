package hello

import (
	"errors"
	"fmt"
	"io"
)

// readChunk is the first size of Read's buffer: most old hellos are below
// 300 bytes, and a slow client must cost little more than its socket.
const readChunk = 512

// maxEmptyReads is how often a reader may return nothing and no error.
const maxEmptyReads = 100

// Read reads one ClientHello from r, at most limit bytes. raw is all that was
// read, with any error too: the hello, and whatever came with it in the same
// read. It is there to be replayed. Deadlines are the caller's. Errors are
// those of Parse, ErrTooLarge, or the reader's; an end of the stream within
// the hello is io.ErrUnexpectedEOF, one before it io.EOF.
func Read(r io.Reader, limit int) (h *ClientHello, raw []byte, err error) {
	return ReadWithin(r, limit, func(int) bool { return true })
}

// ReadWithin is Read for a hello whose memory is counted: more is asked before
// the hello takes n bytes beyond Usual. Without them it is ErrTooLarge.
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
			if size > Usual && !more(2*(size-cap(buf))) { // and the message apart from its records
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
