package main

import (
	"io/fs"
	"math"
	"testing"
)

func TestCgroupLimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"none":                   {map[string]string{"/proc/self/cgroup": "0::/\n"}, 0},
		"not Linux":              {nil, 0},
		"version 2, a container": {map[string]string{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "67108864\n"}, 67108864},
		"version 2, unlimited":   {map[string]string{"/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "max\n"}, 0},
		"version 2, a parent's limit": {map[string]string{
			"/proc/self/cgroup": "0::/system.slice/tlslift.service\n", "/sys/fs/cgroup/system.slice/tlslift.service/memory.max": "max\n",
			"/sys/fs/cgroup/system.slice/memory.max": "1000000\n",
		}, 1000000},
		"version 2, a path of the host's": {map[string]string{
			"/proc/self/cgroup": "0::/kubepods/pod1/c1\n", "/sys/fs/cgroup/memory.max": "5000000\n",
		}, 5000000},
		"version 1": {map[string]string{
			"/proc/self/cgroup":                                  "5:cpu,cpuacct:/x\n4:memory:/docker/1\n",
			"/sys/fs/cgroup/memory/memory.limit_in_bytes":        "9223372036854771712\n",
			"/sys/fs/cgroup/memory/docker/memory.limit_in_bytes": "2000000\n",
		}, 2000000},
		"nonsense": {map[string]string{"/proc/self/cgroup": "x\n0::/\n", "/sys/fs/cgroup/memory.max": "-1\n"}, 0},
	} {
		got, ok := cgroupLimit(func(name string) ([]byte, error) {
			text, found := c.files[name]
			if !found {
				return nil, fs.ErrNotExist
			}
			return []byte(text), nil
		})
		if ok != (c.want != 0) || ok && got != c.want {
			t.Errorf("%s: %d, %v; want %d", name, got, ok, c.want)
		}
	}
}

// TestRelease: memory is given back when callers have cost little for a whole
// interval, and once more after the upstream's connections were closed.
func TestRelease(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	var r releaser
	for i, step := range []struct {
		cost  int64
		times int // in a row
		due   bool
	}{
		{0, 1, false},
		{mib, 1, false},
		{0, 1, false}, // too little to matter
		{40 * mib, 1, false},
		{30 * mib, 1, false},
		{20 * mib, 1, true},
		{20 * mib, releaseAgain - 1, false},
		{20 * mib, 1, true}, // again
		{20 * mib, 2 * releaseAgain, false},
		{5 * mib, 1, true},
		{mib, 1, true}, // fell further: from here it is counted again
		{0, releaseAgain - 1, false},
		{0, 1, true},
		{0, 2 * releaseAgain, false},
		{100 * mib, 1, false},
		{10 * mib, 1, true},
		{90 * mib, 2 * releaseAgain, false}, // callers came back: not again
	} {
		for range step.times {
			if got := r.due(step.cost); got != step.due {
				t.Errorf("step %d, %d MiB: %v", i, step.cost/mib, got)
			}
		}
	}
}

// TestHeldLimit: limits.memory as configured, else a part of the runtime's limit.
func TestHeldLimit(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, c := range []struct{ configured, limit, want int64 }{
		{0, math.MaxInt64, 256 * mib},
		{0, 64_000_000, 24_000_000},
		{0, 16 * mib, 8 * mib},
		{0, 8 << 30, 3 << 30},
		{64 * mib, math.MaxInt64, 64 * mib},
		{64 * mib, 16 * mib, 64 * mib},
	} {
		if got := heldLimit(c.configured, c.limit); got != c.want {
			t.Errorf("%d under %d: %d, want %d", c.configured, c.limit, got, c.want)
		}
	}
}
