package ledger

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"tlslift/proxy/call"
)

// A client that rests at weekends, or calls once a week, stands on a Sunday as it
// stood on the Friday before.
func TestBurnDownKeepsStatesOverDaysWithoutCalls(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{Clients: []Configured{{Name: "unseen"}}})
	g.clock.advance(time.Hour)
	for day := range 30 {
		if day%7 < 5 {
			g.request("weekdays", plain("h"))
		}
		if day%7 == 1 {
			g.request("weekly", plain("h"))
		}
		if day < 10 {
			g.request("moves", plain("h"))
		} else {
			g.sight("moves", spliced())
		}
		if day == 0 {
			g.request("leaves", plain("h"))
		}
		g.sight("scanner", declined(call.Version13, call.HandshakeNoCall))
		if day < 29 {
			g.clock.advance(dayLong)
		}
	}
	s := g.Summary()
	if len(s.BurnDown) != 30 {
		t.Fatalf("%d days, want 30", len(s.BurnDown))
	}
	for day, want := range map[int]DayStates{
		0:  {Insecure: 3}, // weekly has not called yet
		6:  {Insecure: 4}, // a Sunday
		13: {Insecure: 3, Mixed: 1},
		14: {Insecure: 2, Mixed: 1, Silent: 1},
		23: {Insecure: 2, Migrated: 1, Silent: 1},
		29: {Insecure: 2, Migrated: 1, Silent: 1},
	} {
		want.Date = dateOf(dayOf(epoch.Unix()) + int32(day))
		if got := s.BurnDown[day]; got != want {
			t.Errorf("day %d: %+v, want %+v", day, got, want)
		}
	}
	if text, err := json.Marshal(s.BurnDown[6]); string(text) != `{"date":"`+s.BurnDown[6].Date+`","insecure":4,"mixed":0,"silent":0,"migrated":0}` {
		t.Errorf("%v, %s", err, text)
	}
}

func TestBurnDownBeginsWithTheFirstClientAndIsBounded(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{Clients: []Configured{{Name: "unseen"}}})
	if s := g.Summary(); s.BurnDown != nil {
		t.Errorf("nothing was seen, and %+v", s.BurnDown)
	}
	g.request("a", plain("h"))
	if s := g.Summary(); !slices.Equal(s.BurnDown, []DayStates{{Date: dateOf(dayOf(epoch.Unix())), Insecure: 1}}) {
		t.Errorf("the first day: %+v", s.BurnDown)
	}
	g.clock.advance(500 * dayLong) // the history has forgotten it
	s := g.Summary()
	if len(s.BurnDown) != BurnDownDays || s.BurnDown[0].Silent != 1 || s.BurnDown[BurnDownDays-1].Silent != 1 {
		t.Errorf("after 500 days: %d of them, %+v", len(s.BurnDown), s.BurnDown[0])
	}
}

// A declaration counts in the history from its own day on.
func TestBurnDownKnowsDeclarations(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{Clients: []Configured{{Name: "a", Migrated: epoch.Add(5 * dayLong)}}})
	for range 3 {
		g.request("a", plain("h"))
		g.clock.advance(dayLong)
	}
	g.clock.advance(5 * dayLong)
	s := g.Summary()
	for i, d := range s.BurnDown {
		// It holds from its first moment on, which is the end of the day before.
		if want := i >= 4; (d.Migrated == 1) != want || (d.Insecure == 1) == want {
			t.Errorf("day %d: %+v", i, d)
		}
	}
}

// TestAWeekAgoNeedsAWeek: without a week of history, the figures of a week ago
// are left out.
func TestAWeekAgoNeedsAWeek(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{})
	g.request("c", plain("api.smsportal.com"))
	g.clock.advance(6 * dayLong)
	if s := g.Summary(); s.ActiveWeekAgo != nil || s.InsecureWeekAgo != nil {
		t.Errorf("after six days: %v of %v", s.InsecureWeekAgo, s.ActiveWeekAgo)
	}
	g.clock.advance(dayLong)
	if s := g.Summary(); s.ActiveWeekAgo == nil || *s.ActiveWeekAgo != 1 || *s.InsecureWeekAgo != 1 {
		t.Errorf("after a week: %v of %v", s.InsecureWeekAgo, s.ActiveWeekAgo)
	}
}
