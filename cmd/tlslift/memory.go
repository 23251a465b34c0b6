package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// gcPercent is Go's own: garbage may be as much as what is live.
	gcPercent = 100
	// gcFloor is the least that is allocated between two collections, in bytes. A
	// small heap would otherwise be collected several times a second under load,
	// and every hundredth request would wait for it.
	gcFloor = 32 << 20
	// idleEvery is how often it is looked whether load has ended: less than
	// idleBytes allocated since the last look. Garbage of more than idleGarbage
	// then goes back to the system at once.
	idleEvery   = 2 * time.Second
	idleBytes   = 128 << 10
	idleGarbage = 1 << 20
)

// tuneMemory is called once everything has started: what the start needed is
// given back, so that an idle process is small, and the collector is told how
// lazy it may be, until stop is closed. GOGC overrides; GOMEMLIMIT holds in any
// case.
func tuneMemory(stop <-chan struct{}) {
	debug.FreeOSMemory()
	if os.Getenv("GOGC") != "" {
		return
	}
	c := new(collector)
	c.adjust()
	c.watch()
	go giveBack(stop)
}

// giveBack returns what a load has left behind once it is over. The garbage of
// a busy proxy is as much as gcFloor, and an idle one would keep it for minutes.
func giveBack(stop <-chan struct{}) {
	tick := time.NewTicker(idleEvery)
	defer tick.Stop()
	last := allocated()
	clean := last
	for {
		select {
		case <-tick.C:
		case <-stop:
			return
		}
		now := allocated()
		if now-last < idleBytes && now-clean > idleGarbage {
			debug.FreeOSMemory()
			clean = now
		}
		last = now
	}
}

// allocated is how many bytes the heap has ever been asked for.
func allocated() uint64 { return sum("/gc/heap/allocs:bytes") }

// sum adds up metrics of the runtime; one that it does not have counts 0.
func sum(names ...string) (total uint64) {
	samples := make([]metrics.Sample, len(names))
	for i, name := range names {
		samples[i].Name = name
	}
	metrics.Read(samples)
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			total += s.Value.Uint64()
		}
	}
	return total
}

// collector keeps the collector's goal in step with the live heap.
type collector struct{ percent int }

// sentinel is what each collection finds dead. It holds a pointer so that it is
// an allocation of its own (runtime.AddCleanup).
type sentinel struct{ _ *sentinel }

// watch adjusts after every collection, for as long as the process lives.
func (c *collector) watch() {
	runtime.AddCleanup(new(sentinel), func(c *collector) {
		c.adjust()
		c.watch()
	}, c)
}

// adjust sets the goal for what the last collection left. It stops the
// world for an instant, so small changes are let be.
func (c *collector) adjust() {
	percent := gcPercentFor(sum("/gc/heap/live:bytes", "/gc/scan/stack:bytes", "/gc/scan/globals:bytes"))
	if diff := percent - c.percent; diff*8 > c.percent || diff*8 < -c.percent {
		debug.SetGCPercent(percent)
		c.percent = percent
	}
}

// gcPercentFor is GOGC for so many bytes of live heap, stacks and globals, all
// of which the runtime's goal is a percentage of.
func gcPercentFor(base uint64) int {
	const least = 1 << 20
	return max(gcPercent, int(gcFloor*100/max(base, least)))
}
