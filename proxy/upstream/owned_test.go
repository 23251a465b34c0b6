package upstream

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// as sends a GET for the client connection that o belongs to.
func as(t *testing.T, tr *Transport, o *Owned, r *Route, authorization string) *Exchange {
	t.Helper()
	req, ex := newRequest(http.MethodGet, "/", "")
	if o != nil {
		ex.Owned = o
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	if status, _, _, err := sendAs(tr, r, req, ex); err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	return ex
}

// A foreign connection serves one client connection, until that ends.
func TestForeignConnectionsAreOwned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memServer(t, answerAll, noTLS)
		tr := start(t, s, func(o *Options) { o.Warm = 2 })
		r := foreign(t, tr, "192.0.2.1:80", true)
		var a, b Owned
		for i, step := range []struct {
			owner  *Owned
			after  time.Duration
			reused bool
		}{
			{owner: &a},
			{owner: &a, reused: true},
			{owner: &b},
			{owner: &a, reused: true},
			{owner: nil},
			{owner: &b, after: foreignIdle - 1, reused: true},
			{owner: &b, after: foreignIdle + 1}, // the server may be about to close it
		} {
			time.Sleep(step.after)
			if open := s.open(); step.after > foreignIdle && open != 0 {
				t.Errorf("request %d: %d connections are still open", i, open)
			}
			if ex := as(t, tr, step.owner, r, ""); ex.Reused != step.reused {
				t.Errorf("request %d: reused %t", i, ex.Reused)
			}
		}
		a.Close()
		b.Close()
		synctest.Wait()
		if open := s.open(); open != 0 {
			t.Errorf("%d connections are still open", open)
		}
		if accepted, _, _ := s.counts(); accepted != 4 {
			t.Errorf("%d connections: foreign hosts are not to be warmed", accepted)
		}
		as(t, tr, &a, r, "")
		if len(a.idle) != 0 {
			t.Error("kept after the end of the client connection")
		}
	})
}

// A connection of an upstream stays with the caller that signed in on it, for as
// long as that wants.
func TestSignedInConnectionsAreOwned(t *testing.T) {
	t.Parallel()
	for name, challenge := range map[string]string{"asked": "", "offered": "Basic realm=\"a, b\", Negotiate, NTLM"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := memServer(t, func(c *serverConn) {
					for {
						if _, ok := c.request(); !ok {
							return
						}
						answer := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
						if challenge != "" {
							answer += "WWW-Authenticate: " + challenge + "\r\n"
						}
						c.say(answer + "\r\nok")
					}
				})
				tr := start(t, s)
				r := route(t, tr, testHost)
				authorization := ""
				if challenge == "" {
					authorization = "ntlm TlRMTVNTUAAD"
				}
				var a, b Owned
				as(t, tr, &a, r, authorization)
				if ex := as(t, tr, &b, r, ""); ex.Reused {
					t.Error("B got A's connection")
				}
				time.Sleep(foreignIdle + time.Hour)
				if ex := as(t, tr, &a, r, ""); !ex.Reused {
					t.Error("A lost its connection")
				}
				as(t, tr, nil, r, authorization) // nobody to keep it for
				a.Close()
				b.Close()
				if ex := as(t, tr, new(Owned), r, ""); ex.Reused && challenge != "" {
					t.Error("a connection was lent after its owner's end")
				}
				as(t, tr, nil, r, "Basic dTpw")
			})
		})
	}
}

// Callers that sign in take at most half of the connections to a host.
func TestSignedInConnectionsLeaveRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memServer(t, answerAll)
		tr := start(t, s, func(o *Options) { o.MaxConns = 4 })
		r := route(t, tr, testHost)
		owners := make([]Owned, 6)
		for i := range owners {
			as(t, tr, &owners[i], r, "Negotiate YIIabc")
		}
		for i := range owners {
			if kept := len(owners[i].idle); kept != 1 && i < 2 || kept != 0 && i >= 2 {
				t.Errorf("caller %d keeps %d connections", i, kept)
			}
			owners[i].Close()
		}
	})
}

// A client connection keeps few idle connections, whatever it asks for.
func TestOwnedIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memServer(t, answerAll, noTLS)
		tr := start(t, s)
		var o Owned
		for i := range 3 * maxOwned {
			as(t, tr, &o, foreign(t, tr, "192.0.2.1:"+strconv.Itoa(1000+i), true), "")
		}
		synctest.Wait()
		if open := s.open(); open != maxOwned || len(o.idle) != maxOwned {
			t.Errorf("%d connections are open, %d kept", open, len(o.idle))
		}
		if ex := as(t, tr, &o, foreign(t, tr, "192.0.2.1:"+strconv.Itoa(1000+3*maxOwned-1), true), ""); !ex.Reused {
			t.Error("the last one used was not kept")
		}
		o.Close()
	})
}

func TestSignsIn(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"":                               false,
		"Basic dTpw":                     false,
		"Bearer NTLM":                    false,
		"NTLM":                           true,
		"ntlm TlRMTVNTUAABAAAA":          true,
		"Negotiate YIIJvwYGKwYBBQUC":     true,
		"Basic realm=\"x\",Negotiate":    true,
		"Basic realm=\"x\" , \tNTLM abc": true,
		"Digest realm=\"Negotiate\", qop=\"auth\"": false,
	} {
		if got := signsIn([]string{"Basic realm=y", value}); got != want {
			t.Errorf("%q: %t", value, got)
		}
	}
}
