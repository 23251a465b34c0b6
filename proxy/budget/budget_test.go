package budget

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const mib = 1 << 20

// TestWhoMayTakeHowMuch: unfinished requests and answers stop at half of the
// budget, what is to be sent may take all of it.
func TestWhoMayTakeHowMuch(t *testing.T) {
	t.Parallel()
	b := New(t.Context(), 8*mib)
	unfinished, answer := b.Share(), b.Share()
	if !unfinished.Gather(4*mib, 0) {
		t.Fatal("half of the budget is not free")
	}
	if unfinished.Gather(1, 0) || answer.Extend(1) {
		t.Error("more than half was taken")
	}
	var sends []*Share
	for {
		s := b.Share()
		if !s.Reserve(0) {
			break
		}
		if !s.Reserve(0) || s.held != PerSend {
			t.Fatalf("it owns %d bytes", s.held)
		}
		sends = append(sends, &s)
	}
	if want := 4 * mib / PerSend; len(sends) != want {
		t.Errorf("%d may be sent, want %d", len(sends), want)
	}
	if b.Held() != 8*mib || b.Peak() != 8*mib {
		t.Errorf("%d bytes are held, at most %d were", b.Held(), b.Peak())
	}
	unfinished.Release(mib)
	if b.Held() != 5*mib || unfinished.held != mib {
		t.Errorf("%d bytes are held, %d of them by what keeps 1 MiB", b.Held(), unfinished.held)
	}
	unfinished.Release(0)
	unfinished.Release(0)
	unfinished.Shrink(1)
	for _, s := range sends {
		s.Release(0)
	}
	if b.Held() != 0 {
		t.Errorf("%d bytes are held by nobody", b.Held())
	}
	if b.Peak() != 8*mib || b.Peak() != 0 {
		t.Error("the peak is not that since the last look")
	}
}

// TestWaiting: what is given back goes to those who wait, those to be sent
// first, in their order; who comes later does not go before them.
func TestWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		b := New(ctx, 8*mib)
		all := b.Share()
		for range 8 * mib / PerSend {
			if !all.get(send, PerSend, 0) {
				t.Fatal("not free")
			}
		}
		var mu sync.Mutex
		var got []string
		note := func(what string, ok bool) {
			mu.Lock()
			defer mu.Unlock()
			if !ok {
				what = "no " + what
			}
			got = append(got, what)
		}
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(got) != len(want) {
				t.Fatalf("%q, want %q", got, want)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("%q, want %q", got, want)
				}
			}
			got = nil
		}
		head, first, second := b.Share(), b.Share(), b.Share()
		go func() { note("head", head.Gather(64<<10, 5*time.Second)) }()
		synctest.Wait()
		go func() { note("first", first.Reserve(time.Second)) }()
		synctest.Wait()
		go func() { note("second", second.Reserve(time.Second)) }()
		expect()
		all.Shrink(PerSend)
		expect("first")
		late := b.Share()
		all.Shrink(PerSend / 2)
		if late.Reserve(0) {
			t.Error("it went before another")
		}
		time.Sleep(time.Second)
		expect("no second")
		all.Shrink(all.held)
		expect("head")
		if head.Gather(4*mib, time.Hour) || head.Gather(5*mib, time.Hour) {
			t.Error("it waited while it held something, or for what it may never have")
		}
		more := b.Share()
		go func() { note("more", more.Gather(4*mib, time.Hour)) }()
		expect()
		b.SetLimit(16 * mib)
		expect("more")
		last := b.Share()
		go func() { note("last", last.Gather(8*mib, time.Hour)) }()
		expect()
		end()
		expect("no last")
		for _, s := range []*Share{&head, &first, &second, &more, &last} {
			s.Release(0)
		}
		if b.Held() != 0 {
			t.Errorf("%d bytes are held by nobody", b.Held())
		}
	})
}

// TestTight: a request that holds something must hurry when half of what such
// may hold is held, until it is sent.
func TestTight(t *testing.T) {
	t.Parallel()
	b := New(t.Context(), 8*mib)
	one, other, none := b.Share(), b.Share(), b.Share()
	if !one.Gather(2*mib, 0) || one.Tight() {
		t.Error("tight at a quarter of the budget")
	}
	if !other.Gather(1, 0) || !one.Tight() || !other.Tight() || none.Tight() {
		t.Error("not tight, or for who holds nothing")
	}
	if !one.Reserve(0) || one.Tight() {
		t.Error("tight once it is to be sent")
	}
}

// TestNoBudget: without one everything is free.
func TestNoBudget(t *testing.T) {
	t.Parallel()
	var none *Budget
	for _, s := range []Share{{}, none.Share()} {
		if !s.Gather(1<<50, 0) || !s.Reserve(0) || !s.Extend(1<<50) || s.Tight() {
			t.Error("it is not free")
		}
		s.Release(0)
		if s.held != 0 {
			t.Error("it holds something")
		}
	}
}

// TestConcurrentShares: whatever callers do at the same time, the limit holds and
// nothing is left.
func TestConcurrentShares(t *testing.T) {
	t.Parallel()
	b := New(t.Context(), mib)
	var running sync.WaitGroup
	for range 32 {
		running.Go(func() {
			for range 200 {
				s := b.Share()
				if s.Gather(64<<10, time.Millisecond) && s.Reserve(time.Millisecond) {
					s.Extend(64 << 10)
				}
				if held := b.Held(); held > mib {
					t.Errorf("%d bytes are held", held)
				}
				s.Release(0)
			}
		})
	}
	running.Wait()
	if b.Held() != 0 {
		t.Errorf("%d bytes are held by nobody", b.Held())
	}
}
