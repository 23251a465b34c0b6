package main

import "testing"

func TestGCPercentKeepsAFloorUnderSmallHeapsOnly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		live uint64
		want int
	}{{0, 3200}, {1 << 20, 3200}, {4 << 20, 800}, {8 << 20, 400}, {32 << 20, 100}, {1 << 30, 100}, {1 << 62, 100}} {
		if got := gcPercentFor(tt.live); got != tt.want {
			t.Errorf("%d bytes live: GOGC=%d, want %d", tt.live, got, tt.want)
		}
	}
}
