package admin

import "net/http"

// State is where tlslift is in its life. Its String is the body of /readyz.
// Nothing is served before it is ready, so there is no earlier state.
type State uint32

// The states, in the order of a life.
const (
	Ready State = iota
	Reloading
	Stopping // from the signal on, while draining too
)

func (s State) String() string {
	switch s {
	case Ready:
		return "ready"
	case Reloading:
		return "reloading"
	default:
		return "stopping"
	}
}

// State returns the current state.
func (a *Admin) State() State { return State(a.state.Load()) }

// SetState changes the state. Stopping is final: a reload that ends after it
// does not make tlslift ready again.
func (a *Admin) SetState(s State) {
	for {
		old := a.state.Load()
		if State(old) == Stopping || a.state.CompareAndSwap(old, uint32(s)) {
			return
		}
	}
}

// serveProbe answers /healthz, and /readyz with the state and below it with what is
// wrong, which changes no status: calls go on. Its connection ends: a probe comes
// anew each time.
func (a *Admin) serveProbe(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	if r.URL.Path == "/healthz" {
		sentence(w, http.StatusOK, "ok")
		return
	}
	s, status := a.State(), http.StatusOK
	if s == Stopping {
		status = http.StatusServiceUnavailable
	}
	text := s.String()
	if trouble := a.o.Trouble(); trouble != "" {
		text += "\n" + trouble
	}
	sentence(w, status, text)
}
