package http1

import (
	"bufio"
	"errors"
	"io"
)

// answerBody reads a body by its framing.
type answerBody struct {
	br      *bufio.Reader
	framing Framing
	left    int64 // bytes still to read of a sized body
	chunks  chunkScanner
	err     error // returned by every further Read
}

func (b *answerBody) Read(p []byte) (n int, err error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	switch b.framing {
	case Sized:
		n, err = b.readSized(p)
	case Chunked:
		n, err = b.readChunks(p)
	default:
		n, err = b.br.Read(p)
	}
	b.err = err
	return n, err
}

// Close does nothing.
func (b *answerBody) Close() error { return nil }

func (b *answerBody) readSized(p []byte) (int, error) {
	n, err := b.br.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		return n, io.EOF
	case errors.Is(err, io.EOF):
		return n, ErrTruncated
	}
	return n, err
}

func (b *answerBody) readChunks(p []byte) (int, error) {
	for {
		if _, err := b.br.Peek(1); err != nil {
			if errors.Is(err, io.EOF) {
				return 0, ErrTruncated
			}
			return 0, err
		}
		came, _ := b.br.Peek(min(b.br.Buffered(), len(p)))
		data, used, err := b.chunks.next(came)
		n := copy(p, data)
		_, _ = b.br.Discard(used)
		switch {
		case err != nil:
			return n, ErrMalformed
		case b.chunks.state == chunkFinished:
			return n, io.EOF
		case n > 0:
			return n, nil
		}
	}
}
