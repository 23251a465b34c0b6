package hello

import (
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// plainSuites are those of a hello without extensions.
var plainSuites = []uint16{4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99}

func TestReadTakesAnyFragmentation(t *testing.T) {
	t.Parallel()
	message := buildHello(VersionTLS10, plainSuites, nil)
	for _, size := range []int{1, 2, 7, len(message)} {
		raw := records(message, size)
		h, n, err := Parse(append(raw[:len(raw):len(raw)], "more"...))
		if err != nil || n != len(raw) || h.MaxVersion != VersionTLS10 || len(h.CipherSuites) != len(plainSuites) {
			t.Fatalf("records of %d bytes: %+v, %d, %v", size, h, n, err)
		}
		h, got, err := Read(iotest.OneByteReader(&sliceReader{raw}), MaxSize)
		if err != nil || string(got) != string(raw) || string(h.Message) != string(message) {
			t.Fatalf("records of %d bytes, one by one: %v", size, err)
		}
		for cut := range raw {
			_, need, err := Parse(raw[:cut])
			if !errors.Is(err, ErrIncomplete) || need <= cut || need > len(raw) {
				t.Fatalf("%d of %d bytes: need %d, %v", cut, len(raw), need, err)
			}
		}
	}
}

type sliceReader struct{ left []byte }

func (r *sliceReader) Read(p []byte) (int, error) {
	if len(r.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}
