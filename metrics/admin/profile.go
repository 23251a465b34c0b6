package admin

import (
	"bytes"
	"errors"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"
)

// profiles are those that are served, besides "profile", the CPU's. What
// net/http/pprof adds (the command line, symbols, traces) is left out: a
// command line may hold what nobody meant to show.
var profiles = [...]string{"allocs", "block", "goroutine", "heap", "mutex", "threadcreate"}

// Limits of a CPU profile's length in seconds.
const (
	defaultProfile = 30
	maxProfile     = 60
)

// serveProfile serves /debug/pprof/NAME in the format of go tool pprof, and a
// list of names at /debug/pprof/.
func (a *Admin) serveProfile(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/debug/pprof/")
	if name == "" {
		sentence(w, http.StatusOK, strings.Join(profiles[:], "\n")+"\nprofile?seconds=30")
		return
	}
	if name == "profile" {
		a.serveCPU(w, r)
		return
	}
	for _, known := range profiles {
		if name == known {
			if gc, _ := strconv.Atoi(r.URL.Query().Get("gc")); gc > 0 && known == "heap" {
				runtime.GC() // what is live, as net/http/pprof does
			}
			serveSnapshot(w, known)
			return
		}
	}
	notFound(w, r)
}

func serveSnapshot(w http.ResponseWriter, name string) {
	p := pprof.Lookup(name)
	if p == nil {
		sentence(w, http.StatusNotFound, "This build has no such profile.")
		return
	}
	var out bytes.Buffer
	if err := p.WriteTo(&out, 0); err != nil {
		sentence(w, http.StatusInternalServerError, "The profile cannot be written.")
		return
	}
	sendProfile(w, name, &out)
}

// serveCPU profiles the CPU for ?seconds=N, at most maxProfile.
func (a *Admin) serveCPU(w http.ResponseWriter, r *http.Request) {
	length, err := profileLength(r.URL.Query().Get("seconds"))
	if err != nil {
		sentence(w, http.StatusBadRequest, err.Error())
		return
	}
	rc := http.NewResponseController(w)
	if err := rc.SetWriteDeadline(time.Now().Add(length + a.limits.write)); err != nil {
		sentence(w, http.StatusInternalServerError, "The profile would not be sent in time.")
		return
	}
	var out bytes.Buffer
	if err := pprof.StartCPUProfile(&out); err != nil {
		sentence(w, http.StatusConflict, "Another CPU profile is being taken.")
		return
	}
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
	pprof.StopCPUProfile()
	_ = rc.SetWriteDeadline(time.Now().Add(a.limits.write)) // the profile may have taken long to be put together
	sendProfile(w, "profile", &out)
}

func profileLength(seconds string) (time.Duration, error) {
	if seconds == "" {
		return defaultProfile * time.Second, nil
	}
	n, err := strconv.Atoi(seconds)
	if err != nil || n < 1 || n > maxProfile {
		return 0, errors.New("seconds must be a number from 1 to " + strconv.Itoa(maxProfile))
	}
	return time.Duration(n) * time.Second, nil
}

func sendProfile(w http.ResponseWriter, name string, body *bytes.Buffer) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.pb.gz"`)
	_, _ = w.Write(body.Bytes())
}
