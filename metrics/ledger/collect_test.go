package ledger

import (
	"testing"

	"tlslift/proxy/call"
)

// The metrics say of a client's program and library what its page says.
func TestMetricsSayWhatThePageSays(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{LabelLimit: 10})
	g.request("sends no User-Agent", plain("h"))
	const old, modern = "an old hello that is not known, and a modern one", "OpenSSL 1.1.0 or later"
	g.sight(old, refused(call.Version10, call.HandshakeVersion))
	s := spliced()
	s.NoCall, s.Failure, s.Hello = true, call.HandshakeNoCall, &call.Offer{Max: call.Version13, Library: modern}
	g.sight(old, s)
	for _, name := range []string{"sends no User-Agent", old} {
		r := g.row(t, name)
		library, program := r.Library, r.Program
		if library == "" {
			library = "unknown"
		}
		if program == "" {
			program = "unknown"
		}
		if !g.scrape(t).has("tlslift_client_library_info", client(name), `library="`+library+`"`, `program="`+program+`"`) {
			t.Errorf("%q, %q: the metrics say %v", library, program, g.scrape(t).of("tlslift_client_library_info", client(name)))
		}
	}
}
