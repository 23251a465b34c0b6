package e2e

import (
	"math"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// A kept request costs at most so much memory, in allocations and bytes.
const (
	mostMallocs = 18
	mostBytes   = 1200
)

// TestMemoryOfAKeptRequest counts what the process allocates for a request on a
// kept connection: it is what a garbage collection costs, later. What runs beside
// the requests, and what is asked about a request that takes long, can only add to the
// figures. So the least of the rounds counts, and a loaded machine gets more of them.
func TestMemoryOfAKeptRequest(t *testing.T) {
	_, p := portal(t, smsportal.Options{Keep: 1}, "upstream: {warm_connections: 0}")
	caller := harness.Dial(t, p.Addr())
	request := "GET http://" + legacyHost + "/api5/http5.aspx?Type=credits&Username=u&Password=p HTTP/1.1\r\nHost: " + legacyHost +
		"\r\nUser-Agent: Java/1.6.0_45\r\nAccept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2\r\nProxy-Connection: keep-alive\r\n\r\n"
	ask := func(n int) {
		for range n {
			if answer := caller.Send(request).Answer("GET"); answer.StatusCode != 200 {
				t.Fatalf("%d %s", answer.StatusCode, answer.Problem())
			}
		}
	}
	const requests = 2000
	rounds := 24
	if harness.RaceEnabled { // the figures are not held then
		rounds = 4
	}
	ask(100) // pools fill
	mallocs, bytes := math.Inf(1), math.Inf(1)
	for n := 0; n < rounds && (mallocs > mostMallocs || bytes > mostBytes); n++ {
		before := p.Metrics()
		middle := p.Metrics()
		ask(requests)
		after := p.Metrics()
		per := func(name string) float64 {
			scrape := middle.Sum(name) - before.Sum(name)
			return (after.Sum(name) - middle.Sum(name) - scrape) / requests
		}
		mallocs = min(mallocs, per("go_memstats_mallocs_total"))
		bytes = min(bytes, per("go_memstats_alloc_bytes_total"))
	}
	t.Logf("%.1f mallocs and %.0f bytes a request", mallocs, bytes)
	if harness.RaceEnabled {
		t.Log("NOT HELD: the race detector has sync.Pool drop things at random")
		return
	}
	if mallocs > mostMallocs || bytes > mostBytes {
		t.Errorf("a kept request costs %.1f mallocs and %.0f bytes, at most %d and %d are meant to be", mallocs, bytes, mostMallocs, mostBytes)
	}
}

// An idle kept caller costs at most so much memory after a collection. Its
// goroutine's stack is halved to 4 KiB only while what waits for the next request
// uses little of it: about 1,100 bytes, the frames of the runtime included.
const (
	mostIdleStack = 4.5 * 1024
	mostIdleHeap  = 4.25 * 1024
)

func TestMemoryOfAnIdleCaller(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{Keep: 1}, "admin: {pprof: true}")
	const callers = 500
	open := func(n int) {
		for range n {
			request := "GET http://" + legacyHost + "/api5/http5.aspx?Type=credits HTTP/1.1\r\nHost: " + legacyHost + "\r\nUser-Agent: Java/1.6.0_45\r\n\r\n"
			if answer := harness.Dial(t, p.Addr()).Send(request).Answer("GET"); answer.StatusCode != 200 {
				t.Fatalf("%d %s", answer.StatusCode, answer.Problem())
			}
		}
	}
	held := func() (stack, heap float64) {
		for range 2 { // the first one empties the pools
			if status, _ := p.Get("/debug/pprof/heap?gc=1&debug=1"); status != 200 {
				t.Fatalf("collecting: %d", status)
			}
		}
		m := p.Metrics()
		return m.Sum("go_memstats_stack_inuse_bytes"), m.Sum("go_memstats_heap_alloc_bytes")
	}
	open(10) // what is made once
	stackBefore, heapBefore := held()
	open(callers)
	stack, heap := held()
	stack, heap = (stack-stackBefore)/callers, (heap-heapBefore)/callers
	t.Logf("%.0f bytes of stack and %.0f of heap for an idle caller", stack, heap)
	if harness.RaceEnabled {
		t.Log("NOT HELD: the race detector needs larger frames")
		return
	}
	if stack > mostIdleStack || heap > mostIdleHeap {
		t.Errorf("an idle caller costs %.0f bytes of stack and %.0f of heap, want at most %.0f and %.0f", stack, heap, mostIdleStack, mostIdleHeap)
	}
}

// TestHeapGoal: the runtime collects before the heap has grown to more than a
// few times what is live.
func TestHeapGoal(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "")
	const most = 16 << 20
	if goal := p.Metrics().Sum("go_memstats_next_gc_bytes"); goal <= 0 || goal > most {
		t.Errorf("the first collection comes at %.0f bytes, want at most %d", goal, most)
	}
}
