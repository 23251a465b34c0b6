// Package page shows the ledger to people and programs: the status page with its
// charts and tables, a page for each client and each fix, and the JSON API for
// reports and other tools. Pages are rendered on the server, need no script, and
// treat everything a caller may have invented as text.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"time"

	"tlslift/metrics/admin"
	"tlslift/metrics/ledger"
)

//go:embed templates assets
var files embed.FS

// Health is the state of this instance, as far as it is shown.
type Health struct {
	State      string    // ready, reloading, stopping
	Started    time.Time // zero = not shown
	Listeners  []string  // addresses it listens on
	Facts      []Fact    // further lines, in order
	Problems   []string  // what needs attention
	CANotAfter time.Time // of the CA that clients are terminated with; zero = no CA
	CAProblem  string    // what is wrong with that CA now; "" = nothing
}

// Fact is one line of the health section.
type Fact struct{ Name, Value string }

// Options configure the pages.
type Options struct {
	Ledger  *ledger.Ledger
	Health  func() Health // nil = no health section
	Version string        // shown at the foot
	Clock   func() time.Time

	// To returns the host that an upstream's calls go to instead of the given one
	// (upstreams[].to), or "" if there is none. nil = there is none for any.
	To func(host string) string

	// Bound limits how many answers of a handler are in flight at a time. It is
	// used for those that look at every client.
	Bound func(http.Handler) http.Handler
}

type server struct {
	Options
	assets string // version of the assets, used in their addresses
	advice fixIndex
	pages  map[string]*template.Template // by file name
}

// Register adds the pages and the API to mux:
//
//	GET /                        the status page
//	GET /clients/{name}          one client
//	GET /fixes[/{name}]          what to change; {name} may be a verdict
//	GET /assets/{file}           style sheet and script
//	GET /api/v1/clients[/{name}] and /api/v1/summary
//
// Any other path is answered 404, below /api/ in JSON and elsewhere as a page.
func Register(mux *http.ServeMux, o Options) error {
	s := &server{Options: o, advice: newFixIndex(), pages: make(map[string]*template.Template)}
	var err error
	if s.assets, err = assetsVersion(); err != nil {
		return err
	}
	for _, name := range []string{"index", "client", "fix", "fixes", "missing"} {
		s.pages[name], err = template.New("layout.html").Funcs(s.funcs()).ParseFS(files, "templates/layout.html", "templates/programs.html", "templates/"+name+".html")
		if err != nil {
			return fmt.Errorf("parsing the %s page: %w", name, err)
		}
	}
	mux.Handle("GET /{$}", o.Bound(http.HandlerFunc(s.serveIndex)))
	mux.HandleFunc("GET /clients", s.serveClient)
	mux.HandleFunc("GET /clients/{name...}", s.serveClient)
	mux.HandleFunc("GET /fixes", s.serveFixes)
	mux.HandleFunc("GET /fixes/{$}", s.serveFixes)
	mux.HandleFunc("GET /fixes/{name}", s.serveFix)
	mux.HandleFunc("GET /assets/{file}", s.serveAsset)
	mux.Handle("GET /api/v1/clients", o.Bound(http.HandlerFunc(s.apiClients)))
	mux.HandleFunc("GET /api/v1/clients/{name...}", s.apiClient)
	mux.Handle("GET /api/v1/summary", o.Bound(http.HandlerFunc(s.apiSummary)))
	mux.HandleFunc("GET /api/", func(w http.ResponseWriter, _ *http.Request) {
		answerError(w, http.StatusNotFound, "there is nothing here")
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { s.notFound(w, "There is no page at this address.") })
	return nil
}

// policy lets a page load only its own style sheet and script.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func protect(w http.ResponseWriter) {
	h := w.Header()
	admin.Secure(h)
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// render answers with a page. If rendering fails half-way, none of the page is sent.
func (s *server) render(w http.ResponseWriter, status int, page string, data any) {
	var b bytes.Buffer
	if err := s.pages[page].Execute(&b, data); err != nil {
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	protect(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
}

func (s *server) serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	data, err := files.ReadFile(path.Join("assets", path.Base(name)))
	if err != nil {
		s.notFound(w, "There is no such file.")
		return
	}
	protect(w)
	if r.URL.Query().Get("v") == s.assets {
		w.Header().Set("Cache-Control", "max-age=31536000, immutable")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
}

func assetsVersion() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(files, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := files.ReadFile(name)
		sum.Write(data)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reading the assets: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

func (s *server) notFound(w http.ResponseWriter, what string) {
	s.render(w, http.StatusNotFound, "missing", base{Title: "Not found", Text: what})
}
