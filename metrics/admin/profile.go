package admin

import (
	"net/http"
	"net/http/pprof"
	"slices"
	"strconv"
	"strings"
)

// profiles are the profiles that are served. The others of net/http/pprof
// (command line, symbols, traces) are left out, because a command line may
// contain secrets.
var profiles = []string{"allocs", "block", "goroutine", "heap", "mutex", "threadcreate"}

// maxProfile is the maximum duration of a profile, in seconds.
const maxProfile = 60

// serveProfile serves /debug/pprof/NAME in the format of go tool pprof, and a
// list of names at /debug/pprof/.
func (a *Admin) serveProfile(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/debug/pprof/")
	if seconds := r.URL.Query().Get("seconds"); seconds != "" {
		if n, err := strconv.Atoi(seconds); err != nil || n < 1 || n > maxProfile {
			sentence(w, http.StatusBadRequest, "seconds must be a number from 1 to "+strconv.Itoa(maxProfile))
			return
		}
	}
	switch {
	case name == "":
		sentence(w, http.StatusOK, strings.Join(profiles, "\n")+"\nprofile?seconds=30")
	case name == "profile":
		pprof.Profile(w, r)
	case slices.Contains(profiles, name):
		pprof.Handler(name).ServeHTTP(w, r)
	default:
		notFound(w, r)
	}
}
