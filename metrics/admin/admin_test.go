package admin

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"tlslift/proxy/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "s3cret"

func testRegistry(t testing.TB) *prometheus.Registry {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	count := prometheus.NewCounter(prometheus.CounterOpts{Name: "test_total", Help: "A counter."})
	hist := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "test_seconds", Help: "A histogram.", Buckets: []float64{1}, NativeHistogramBucketFactor: 1.1,
	})
	reg.MustRegister(count, hist)
	if e, ok := count.(prometheus.ExemplarAdder); ok {
		e.AddWithExemplar(1, prometheus.Labels{"request_id": "x"})
	}
	hist.Observe(.5)
	return reg
}

func testCA() []byte {
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("certificate")})
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("private")})
	return append(key, cert...)
}

// full has everything switched on.
func full(t testing.TB) Options {
	return Options{
		Gatherer:  testRegistry(t),
		Logger:    zap.NewNop(),
		Hosts:     []host.Name{host.MustParse("gateway.example")},
		Token:     token,
		CA:        testCA,
		Proxy:     func() string { return "127.0.0.1:3128" },
		Upstreams: func() []host.Pattern { return patterns("smsportal.com", "*.smsportal.com") },
		Trouble:   func() string { return "" },
		Quit:      func() {},
		AllowQuit: true,
		Profiles:  true,
		Build:     Build{Version: "1.2.3", Revision: "abcdef", GoVersion: "go1.x"},
	}
}

// ask sends one request straight to a handler.
func ask(h http.Handler, method, path, host string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// onePage is the page at "/" and nothing else.
func onePage(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		notFound(w, r)
		return
	}
	sentence(w, 200, "page")
}

// TestWhoMaySeeWhat is the cross product of listeners, hosts, tokens, paths and
// methods.
func TestWhoMaySeeWhat(t *testing.T) {
	t.Parallel()
	a := New(full(t))
	a.SetState(Ready)
	a.Mount("/api/v1/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { sentence(w, 200, "api") }))
	a.Mount("/", http.HandlerFunc(onePage))
	listeners := map[string]http.Handler{"loopback": a.Handler(true), "network": a.Handler(false), "public": a.PublicHandler()}
	hosts := map[string]bool{ // whether it is no rebound name
		"127.0.0.1:9128": true, "[::1]:9128": true, "::1": true, "10.0.0.7": true, "localhost:9128": true, "LOCALHOST.": true,
		"gateway.example:9128": true, "Gateway.Example.": true,
		"evil.example": false, "evil.example:9128": false, "": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
	}
	tokens := map[string]bool{
		"": false, "Bearer " + token: true, "bearer " + token: true, "Bearer " + token + "x": false,
		"Bearer s3cre": false, "Basic " + token: false, "Bearer": false, token: false,
	}
	paths := []string{"/metrics", "/healthz", "/readyz", "/", "/ca.pem", "/proxy.pac", "/quit", "/api/v1/build", "/api/v1/clients", "/debug/pprof/", "/debug/pprof/heap", "/none", "/metrics/", "/healthz/x"}
	for where, h := range listeners {
		for host, known := range hosts {
			for auth, valid := range tokens {
				for _, path := range paths {
					for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"} {
						want := expected(where, path, method, known, valid)
						resp := ask(h, method, path, host, "Authorization", auth)
						if resp.StatusCode != want {
							t.Errorf("%s: %s %s, Host %q, Authorization %q: %d, want %d", where, method, path, host, auth, resp.StatusCode, want)
						}
						checkHeaders(t, resp, path)
					}
				}
			}
		}
	}
}

// expected is the rule in other words than the guard's.
func expected(where, path, method string, known, valid bool) int {
	reads := method == "GET" || method == "HEAD"
	probe := path == "/healthz" || path == "/readyz"
	open := probe || path == "/metrics"
	switch {
	case open && (probe || where == "public") && reads:
		return 200
	case open && (probe || where == "public"):
		return 405
	case where == "public":
		return 404
	case !known:
		return 421
	case open && reads:
		return 200
	case open:
		return 405
	case where == "network" && !valid:
		return 401
	case path == "/quit" && method == "POST":
		return 200
	case path == "/quit", !reads:
		return 405
	case path == "/none" || path == "/metrics/" || path == "/healthz/x":
		return 404
	default:
		return 200
	}
}

func checkHeaders(t *testing.T, resp *http.Response, path string) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
	} {
		if got := resp.Header.Get(name); !strings.Contains(got, want) {
			t.Errorf("%s: %s is %q", path, name, got)
		}
	}
	if resp.StatusCode == 401 && resp.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("%s: 401 without WWW-Authenticate: Bearer", path)
	}
	want := ""
	if resp.StatusCode == 405 {
		want = "GET, HEAD"
		if path == "/quit" {
			want = "POST"
		}
	}
	// The guard asks for GET and HEAD before anything else but /quit's own rule.
	if got := resp.Header.Get("Allow"); got != want {
		t.Errorf("%s: Allow is %q, want %q", path, got, want)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	quits := 0
	o := full(t)
	o.Quit = func() { quits++ }
	a := New(o)
	a.Mount("/", http.HandlerFunc(onePage))
	h := a.Handler(true)
	const host = "127.0.0.1:9128"
	tests := []struct {
		headers []string
		want    int
	}{
		{nil, 200},
		{[]string{"Origin", "http://127.0.0.1:9128"}, 200},
		{[]string{"Origin", "http://127.0.0.1:9128", "Sec-Fetch-Site", "same-origin"}, 200},
		{[]string{"Sec-Fetch-Site", "none"}, 200},
		{[]string{"Origin", "http://127.0.0.1:8080"}, 403},
		{[]string{"Origin", "http://evil.example"}, 403},
		{[]string{"Origin", "null"}, 403},
		{[]string{"Origin", "::not a url"}, 403},
		{[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Sec-Fetch-Site", "same-site"}, 403},
	}
	want := 0
	for _, tt := range tests {
		if tt.want == 200 {
			want++
		}
		if got := ask(h, "POST", "/quit", host, tt.headers...).StatusCode; got != tt.want {
			t.Errorf("POST /quit with %v: %d, want %d", tt.headers, got, tt.want)
		}
	}
	for _, tt := range []struct {
		path    string
		headers []string
		want    int
	}{
		{"/ca.pem", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors"}, 200},
		{"/ca.pem", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"/metrics", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"/metrics", []string{"Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors"}, 403},
		{"/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200}, // a person follows a link
		{"/healthz", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 200},
	} {
		if got := ask(h, "GET", tt.path, host, tt.headers...).StatusCode; got != tt.want {
			t.Errorf("GET %s with %v: %d, want %d", tt.path, tt.headers, got, tt.want)
		}
	}
	if quits != want {
		t.Errorf("Quit was called %d times, want %d", quits, want)
	}
	if got := ask(New(o).Handler(false), "POST", "/quit", host, "Authorization", "Bearer "+token, "Origin", "http://evil.example").StatusCode; got != 403 {
		t.Errorf("another origin on the network: %d, want 403", got)
	}
}

func TestNothingWithoutATokenOnTheNetwork(t *testing.T) {
	t.Parallel()
	o := full(t)
	o.Token = ""
	h := New(o).Handler(false)
	for _, auth := range []string{"", "Bearer ", "Bearer", "Bearer x"} {
		resp := ask(h, "GET", "/ca.pem", "127.0.0.1", "Authorization", auth)
		if text := body(t, resp); resp.StatusCode != 403 || !strings.Contains(text, "admin.token_file") {
			t.Errorf("Authorization %q: %d %s", auth, resp.StatusCode, text)
		}
	}
	if got := ask(h, "GET", "/metrics", "127.0.0.1").StatusCode; got != 200 {
		t.Errorf("/metrics: %d, want 200", got)
	}
}

func TestWhatIsNotConfiguredIsNotThere(t *testing.T) {
	t.Parallel()
	o := full(t)
	o.CA, o.Proxy, o.AllowQuit, o.Profiles = func() []byte { return nil }, func() string { return "" }, false, false
	h := New(o).Handler(true)
	for path, want := range map[string]string{
		"/ca.pem":           "legacy_tls.ca",
		"/proxy.pac":        "listen.accept",
		"/quit":             "admin.quit",
		"/debug/pprof/heap": "nothing here",
	} {
		for _, method := range []string{"GET", "POST"} {
			if method == "POST" && path != "/quit" {
				continue
			}
			resp := ask(h, method, path, "localhost")
			if text := body(t, resp); resp.StatusCode != 404 || !strings.Contains(text, want) {
				t.Errorf("%s %s: %d %s", method, path, resp.StatusCode, text)
			}
		}
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	a := New(full(t))
	for _, tt := range []struct {
		set    State
		status int
		word   string
	}{
		{Ready, 200, "ready"},
		{Reloading, 200, "reloading"},
		{Ready, 200, "ready"},
		{Stopping, 503, "stopping"},
		{Ready, 503, "stopping"}, // a reload that ended late
	} {
		a.SetState(tt.set)
		for _, h := range []http.Handler{a.Handler(false), a.PublicHandler()} {
			resp := ask(h, "GET", "/readyz", "any.example")
			if got := body(t, resp); resp.StatusCode != tt.status || got != tt.word+"\n" {
				t.Errorf("after %v: %d %q, want %d %q", tt.set, resp.StatusCode, got, tt.status, tt.word)
			}
			resp = ask(h, "GET", "/healthz", "any.example")
			if got := body(t, resp); resp.StatusCode != 200 || got != "ok\n" {
				t.Errorf("/healthz after %v: %d %q", tt.set, resp.StatusCode, got)
			}
		}
	}
}

func TestCAHoldsCertificatesOnly(t *testing.T) {
	t.Parallel()
	resp := ask(New(full(t)).Handler(true), "GET", "/ca.pem", "localhost")
	got := body(t, resp)
	block, rest := pem.Decode([]byte(got))
	if block == nil || string(block.Bytes) != "certificate" || len(rest) != 0 || strings.Contains(got, "PRIVATE") {
		t.Errorf("/ca.pem:\n%s", got)
	}
	if resp.Header.Get("Content-Type") != "application/x-pem-file" {
		t.Errorf("Content-Type %q", resp.Header.Get("Content-Type"))
	}
	o := full(t)
	o.CA = func() []byte { return nil }
	if got := ask(New(o).Handler(true), "GET", "/ca.pem", "localhost").StatusCode; got != 404 {
		t.Errorf("without a CA: %d, want 404", got)
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	resp := ask(New(full(t)).Handler(true), "GET", "/api/v1/build", "localhost")
	var got map[string]string
	if err := json.Unmarshal([]byte(body(t, resp)), &got); err != nil {
		t.Fatal(err)
	}
	if got["version"] != "1.2.3" || got["revision"] != "abcdef" || got["go_version"] != "go1.x" || len(got) != 3 {
		t.Errorf("/api/v1/build: %v", got)
	}
}

// What is wrong is said below the state, and changes no status.
func TestTroubleIsSaidBelowTheState(t *testing.T) {
	t.Parallel()
	o := full(t)
	trouble := ""
	o.Trouble = func() string { return trouble }
	a := New(o)
	a.SetState(Ready)
	for _, tt := range []struct{ trouble, want string }{{"", "ready\n"}, {"The log is not read.", "ready\nThe log is not read.\n"}} {
		trouble = tt.trouble
		resp := ask(a.PublicHandler(), "GET", "/readyz", "any.example")
		if got := body(t, resp); resp.StatusCode != 200 || got != tt.want {
			t.Errorf("%d %q, want 200 %q", resp.StatusCode, got, tt.want)
		}
	}
}

func TestMounting(t *testing.T) {
	t.Parallel()
	a := New(full(t))
	page := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		sentence(w, 200, "page "+r.URL.Path)
	}
	a.Mount("/", http.HandlerFunc(page))
	h := a.Handler(true)
	for _, path := range []string{"/", "/clients/billing"} {
		resp := ask(h, "GET", path, "localhost")
		if got := body(t, resp); got != "page "+path+"\n" || resp.Header.Get("Content-Security-Policy") != "default-src 'self'" {
			t.Errorf("GET %s: %q", path, got)
		}
	}
	if got := ask(h, "POST", "/", "localhost").StatusCode; got != 405 {
		t.Errorf("POST to the page: %d, want 405", got)
	}
	if got := body(t, ask(h, "GET", "/healthz", "localhost")); got != "ok\n" {
		t.Errorf("/healthz behind the page: %q", got)
	}
	if got := ask(a.PublicHandler(), "GET", "/", "localhost").StatusCode; got != 404 {
		t.Errorf("the page on the public listener: %d, want 404", got)
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	h := New(full(t)).Handler(true)
	for path, want := range map[string]int{
		"/debug/pprof/": 200, "/debug/pprof/heap": 200, "/debug/pprof/heap?gc=1": 200, "/debug/pprof/goroutine": 200, "/debug/pprof/allocs": 200,
		"/debug/pprof/block": 200, "/debug/pprof/mutex": 200, "/debug/pprof/threadcreate": 200,
		"/debug/pprof/cmdline": 404, "/debug/pprof/symbol": 404, "/debug/pprof/trace": 404, "/debug/pprof/heap/": 404,
		"/debug/pprof/profile?seconds=0": 400, "/debug/pprof/profile?seconds=61": 400, "/debug/pprof/profile?seconds=x": 400,
	} {
		if got := ask(h, "GET", path, "localhost").StatusCode; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
}

// A browser cannot give a bearer token: who opens the page in one is told how
// to get there.
func TestAMissingTokensAnswerSaysWhatToDo(t *testing.T) {
	t.Parallel()
	resp := ask(New(full(t)).Handler(false), http.MethodGet, "/", "10.0.0.7:9128")
	text := body(t, resp)
	for _, want := range []string{"ssh -L 9128:127.0.0.1:9128", "kubectl port-forward", "tlslift report --admin URL --token-file FILE", "admin.address"} {
		if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(text, want) {
			t.Errorf("%d, it lacks %q:\n%s", resp.StatusCode, want, text)
		}
	}
}
