package upstream

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

func TestReconfigure(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	tr := start(t, s)
	r := route(t, tr, testHost)
	wantOK(t, tr, r)
	same := s.options(func(o *Options) {
		o.Hosts, o.MaxConns, o.ResponseTimeout = append(o.Hosts, Host{}.named("*.other.test")), 7, time.Hour
	})
	check(t, tr.Reconfigure(same))
	r = route(t, tr, testHost)
	if ex := wantOK(t, tr, r); !ex.Reused {
		t.Error("the pool was not kept")
	}
	if _, ours := tr.Snapshot().Route(host.MustParse("x.other.test")); !ours {
		t.Fatal("a host below the new *.domain is foreign")
	}
	bad := same
	bad.ParentProxy = &url.URL{Scheme: "socks5", Host: "proxy.test"}
	if err := tr.Reconfigure(bad); err == nil || !strings.Contains(err.Error(), "the parent proxy must be") {
		t.Error(err)
	}
	wantOK(t, tr, r)

	for name, change := range map[string]func(*Options){
		"pins":     func(o *Options) { o.Hosts[0].Pins = [][32]byte{{}} },
		"port":     func(o *Options) { o.Hosts[0].Port = 8443 },
		"min_tls":  func(o *Options) { o.MinTLS = 0x304 },
		"internal": func(o *Options) { o.AllowInternal = true },
		"removed":  func(o *Options) { o.Hosts = nil },
	} {
		check(t, tr.Reconfigure(s.options()))
		r := route(t, tr, testHost)
		wantOK(t, tr, r)
		check(t, tr.Reconfigure(s.options(change)))
		closed := func() bool { return r.group.sum() == 0 }
		eventually(t, name+": the old connections are closed", closed)
		wantOK(t, tr, r) // a request under way ends as it began
		eventually(t, name+": its connection is closed", closed)
	}
	tr.Close()
	if err := tr.Reconfigure(same); err == nil {
		t.Error("reconfigured after Close")
	}
}

// TestSnapshot: what was asked of one configuration is done by it, whatever the
// one in force says meanwhile.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	tr := start(t, s)
	old := tr.Snapshot()
	check(t, tr.Reconfigure(s.options(func(o *Options) { o.Hosts = nil })))
	if _, ours := tr.Snapshot().Route(host.MustParse(testHost)); ours {
		t.Error("the new configuration knows the host")
	}
	r, ours := old.Route(host.MustParse(testHost))
	if !ours {
		t.Fatal("the old configuration does not know the host")
	}
	wantOK(t, tr, r)
	if tr.Snapshot() == old {
		t.Error("the old snapshot is in force")
	}
}

func TestCloseIdle(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	tr := start(t, s)
	r := route(t, tr, testHost)
	wantOK(t, tr, r)
	tr.CloseIdle()
	if ex := wantOK(t, tr, r); ex.Reused {
		t.Error("reused")
	}
}

func TestCloseCutsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	networks(t, func(t *testing.T, newServer maker) {
		got := make(chan struct{})
		s := newServer(t, func(c *serverConn) {
			if _, ok := c.request(); ok {
				close(got)
				c.hang()
			}
		})
		tr := start(t, s)
		r := route(t, tr, testHost)
		go func() {
			<-got
			tr.Close()
		}()
		_, _, _, err := send(tr, r, "GET", "/", "")
		var e *Error
		if !errors.As(err, &e) || e.Delivery != problem.Unknown {
			t.Error(err)
		}
		_, _, _, err = send(tr, r, "GET", "/", "")
		if !errors.As(err, &e) || e.Reason != problem.Draining || e.Delivery != problem.NotSent {
			t.Error(err)
		}
	})
}

// TestWarmOverTLS: connections are kept ready, their session tickets are taken
// while they are idle, and a request finds its handshake done.
func TestWarmOverTLS(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memServer(t, answerAll)
		obs := &recorder{}
		tr := start(t, s, func(o *Options) { o.Warm, o.Observer = 2, obs })
		r := route(t, tr, testHost)
		wantOK(t, tr, r)
		time.Sleep(time.Minute)
		for range 3 {
			if ex := wantOK(t, tr, r); ex.Reused {
				t.Error("a stale connection was used")
			}
			time.Sleep(20 * time.Second)
		}
		if obs.count("handshake "+testHost+" 0x304 true") < 3 {
			t.Errorf("sessions are not resumed: %v", obs.events)
		}
	})
}
