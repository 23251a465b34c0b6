package upstream

import "testing"

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	tr := start(t, s)
	r := route(t, tr, "API.example.test.")
	for i := range 3 {
		if ex := wantOK(t, tr, r); ex.Reused != (i > 0) || ex.TLSVersion != 0x304 || ex.Cipher == 0 || ex.BytesIn != 2 {
			t.Fatalf("request %d: %+v", i, ex)
		}
	}
	if accepted, handshakes, requests := s.counts(); accepted != 1 || handshakes != 1 || requests != 3 {
		t.Fatal(accepted, handshakes, requests)
	}
}
