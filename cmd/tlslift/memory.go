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

// Memory is left to the Go runtime, with three exceptions: the runtime learns the
// cgroup's limit, what is held for callers is limited to a part of it, and memory
// that callers leave behind is given back soon.

const (
	// limitShare is the share of the cgroup's limit that the runtime should stay
	// within. The rest is for what it does not count, such as the binary's pages
	// and socket buffers.
	limitShare = 0.9
	// heldShare is the part of the runtime's limit, in eighths, that may be held
	// for callers. The rest is for garbage and for connections, which cost about
	// as much again when all are busy.
	heldShare = 3
	// leastHeld and usualHeld apply if limits.memory is auto, in bytes. leastHeld
	// is the minimum: with less, little could be sent. usualHeld applies without
	// a memory limit.
	leastHeld = 8 << 20
	usualHeld = 256 << 20
	// releaseEvery is how often to check what callers cost.
	releaseEvery = time.Second
	// releaseAgain is the number of intervals after which memory is given back
	// again: idle connections to an upstream are closed after 5 to 6 s.
	releaseAgain = 7
	// releaseFrom is how many bytes callers must have cost to make a collection
	// after they leave worthwhile.
	releaseFrom = 2 << 20
)

// heldLimit returns how many bytes may be held for callers. configured is
// limits.memory, 0 for auto; limit is the runtime's memory limit,
// math.MaxInt64 for none.
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

// cgroupLimit returns the smallest memory limit of this process's cgroup and
// those above it, in bytes. It supports version 2
// (Documentation/admin-guide/cgroup-v2.rst) and version 1. It returns false if
// there is no limit.
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
		// In a container the group's own path may not be visible. Then the
		// hierarchy's root is the container's group.
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

// noLimit is the smallest value by which version 1 means no limit: the largest
// page-aligned number, or more than any machine has.
const noLimit = 1 << 60

func readLimit(read func(string) ([]byte, error), file string) (int64, bool) {
	text, err := read(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // "max" means no limit
	return n, err == nil && n > 0 && n < noLimit
}

// releaseMemory gives memory back to the system after most callers have left,
// until stop is closed. peak returns the most that callers cost since its last
// call, in bytes.
func releaseMemory(peak func() int64, stop <-chan struct{}) {
	tick := time.NewTicker(releaseEvery)
	defer tick.Stop()
	var r releaser
	for {
		select {
		case <-tick.C:
			if r.due(peak()) {
				runtime.GC() // pools keep their contents for one collection
				debug.FreeOSMemory()
			}
		case <-stop:
			return
		}
	}
}

// releaser decides when to give memory back: when callers have cost at most half
// of their maximum for a whole interval, and again once the upstream connections
// that they used have closed too.
type releaser struct {
	most  int64
	again int // intervals until the second time; 0 or less = done
}

// due takes the most that callers cost since the last call.
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
