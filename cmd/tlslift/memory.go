package main

import (
	"math"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// Memory is left to the Go runtime, with three exceptions: the runtime learns of
// the cgroup's limit, what is held for callers stays within a part of it, and
// what callers leave behind is given back soon.

const (
	// limitShare is the share of the cgroup's limit that the runtime is to stay
	// within: the rest is for what it does not count, such as the binary's pages
	// and socket buffers.
	limitShare = 0.9
	// heldShare is the part of the runtime's limit, in eighths, that may be held
	// for callers. The rest is for connections, which cost about as much again
	// when all are busy, and for garbage.
	heldShare = 3
	// leastHeld and usualHeld bound what may be held where limits.memory is auto:
	// below the one little could be sent, the other is without a limit.
	leastHeld = 8 << 20
	usualHeld = 256 << 20
	// releaseEvery is how often it is looked at what callers cost.
	releaseEvery = time.Second
	// releaseAgain is after how many intervals memory is given back again: idle
	// connections to an upstream are closed after 5 to 6 s.
	releaseAgain = 7
	// releaseFrom is how many bytes callers must have cost for their end to be
	// worth a collection.
	releaseFrom = 2 << 20
)

// heldLimit is how many bytes may be held for callers: as configured, 0 for auto,
// under a memory limit of the runtime's, math.MaxInt64 for none.
func heldLimit(configured, limit int64) int64 {
	switch {
	case configured > 0:
		return configured
	case limit == math.MaxInt64:
		return usualHeld
	default:
		return max(limit/8*heldShare, leastHeld)
	}
}

// limitMemory sets the runtime's memory limit from the cgroup's, unless
// GOMEMLIMIT is set.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit, ok := cgroupLimit(os.ReadFile); ok {
		debug.SetMemoryLimit(int64(limitShare * float64(limit)))
	}
}

// cgroupLimit is the smallest memory limit of this process's cgroup and those
// above it, in bytes; version 2 (Documentation/admin-guide/cgroup-v2.rst), else
// version 1. It reports false where there is none.
func cgroupLimit(read func(string) ([]byte, error)) (limit int64, ok bool) {
	groups, err := read("/proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		root, file := "", ""
		switch {
		case parts[1] == "":
			root, file = "/sys/fs/cgroup", "memory.max"
		case strings.Contains(","+parts[1]+",", ",memory,"):
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		// In a container the group's own path may not be visible: then its root
		// is the container's.
		for dir := path.Clean("/" + parts[2]); ; dir = path.Dir(dir) {
			if n, found := readLimit(read, path.Join(root, dir, file)); found && (!ok || n < limit) {
				limit, ok = n, true
			}
			if dir == "/" {
				break
			}
		}
	}
	return limit, ok
}

// noLimit is the least that version 1 says for no limit: the largest page-aligned
// number, or more than any machine has.
const noLimit = 1 << 60

func readLimit(read func(string) ([]byte, error), file string) (int64, bool) {
	text, err := read(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // "max" is none
	return n, err == nil && n > 0 && n < noLimit
}

// releaseMemory gives memory back to the system after most callers have left,
// until stop is closed. peak is what callers cost at most since its last call, in
// bytes.
func releaseMemory(peak func() int64, stop <-chan struct{}) {
	tick := time.NewTicker(releaseEvery)
	defer tick.Stop()
	var r releaser
	for {
		select {
		case <-tick.C:
			if r.due(peak()) {
				runtime.GC() // pools keep what they hold for one collection
				debug.FreeOSMemory()
			}
		case <-stop:
			return
		}
	}
}

// releaser decides when memory is worth giving back: when callers have cost no
// more than half of what they did for a whole interval, and once more when the
// connections to the upstreams that they used were closed, too.
type releaser struct {
	most  int64
	again int // intervals until then; 0 or less = done
}

// due takes what callers cost at most since the last call.
func (r *releaser) due(cost int64) bool {
	if cost > r.most {
		r.most, r.again = cost, 0
		return false
	}
	if r.most >= releaseFrom && cost <= r.most/2 {
		r.most, r.again = cost, releaseAgain
		return true
	}
	r.again--
	return r.again == 0
}
