//go:build unix && !race

package nonblock

import (
	"io"
	"testing"
)

// With the race detector, pools drop what they are given. It is not parallel: it
// counts allocations.
func TestNoAllocation(t *testing.T) {
	near, far := pair(t)
	p, q := make([]byte, 8), make([]byte, 8)
	if n := testing.AllocsPerRun(100, func() {
		near.TryRead(p)
		near.Write(p)
		io.ReadFull(far, q)
		far.Write(q)
		io.ReadFull(near, p)
	}); n != 0 {
		t.Errorf("%.0f allocations", n)
	}
}
