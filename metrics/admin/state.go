package admin

import "net/http"

// State is where tlslift is in its life cycle. Its String is the body of /readyz.
// Nothing is served until tlslift is ready, so there is no earlier state.
type State uint32

// The states, in the order of the life cycle.
const (
	Ready State = iota
	Reloading
	Stopping // from the signal on, including while draining
)

func (s State) String() string {
	return [...]string{Ready: "ready", Reloading: "reloading", Stopping: "stopping"}[s]
}

// State returns the current state.
func (a *Admin) State() State { return State(a.state.Load()) }

// SetState changes the state. Stopping is final: a reload that ends later does
// not make tlslift ready again.
func (a *Admin) SetState(s State) {
	for {
		old := a.state.Load()
		if State(old) == Stopping || a.state.CompareAndSwap(old, uint32(s)) {
			return
		}
	}
}

// serveProbe answers /healthz, and /readyz with the state followed by what is
// wrong. Trouble does not change the status, because calls go on. The connection
// is closed, since a probe opens a new one each time.
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
