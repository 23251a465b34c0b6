package identity

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tlslift/proxy/host"
)

// moved is a clock that a test moves.
type moved struct{ offset atomic.Int64 }

func (m *moved) now() time.Time { return time.Unix(1_700_000_000, m.offset.Load()) }

func (m *moved) by(d time.Duration) { m.offset.Add(int64(d)) }

var guesser = netip.MustParseAddr("192.0.2.66")

func TestGuessersArePaced(t *testing.T) {
	t.Parallel()
	var clock moved
	d := newAuthenticator(users(t, "app", "right"), clock.now)
	for i := range failureBurst {
		if _, err := d.authenticate(guesser, basic("app", fmt.Sprint("guess", i))); !errors.Is(err, errWrongCredentials) {
			t.Fatal("a wrong password was taken")
		}
	}
	if _, err := d.authenticate(guesser, basic("app", "right")); !errors.Is(err, errTooManyFailures) {
		t.Error("after too many failures even the right password has to wait")
	}
	if _, err := d.authenticate(netip.MustParseAddr("192.0.2.67"), basic("app", "right")); err != nil {
		t.Error("another address has to wait too")
	}
	if _, err := d.authenticate(guesser, basic("app", "right")); err != nil {
		t.Error("verified credentials are not remembered for everybody")
	}
	clock.by(failureRefill)
	if _, err := d.authenticate(guesser, basic("app", "still wrong")); err == nil {
		t.Error("a wrong password was taken")
	}
	clock.by(verifiedFor)
	if _, err := d.authenticate(guesser, basic("app", "right")); err != nil {
		t.Error("after a rest the right password is refused")
	}
}

func TestGoodLoginsCostNoTries(t *testing.T) {
	t.Parallel()
	var clock moved
	d := newAuthenticator(users(t, "app", "right"), clock.now)
	for range 3 * failureBurst {
		clock.by(verifiedFor) // so that each is checked again
		if _, err := d.authenticate(guesser, basic("app", "right")); err != nil {
			t.Fatal("a good login was refused")
		}
	}
	if len(d.limiter.buckets) != 0 {
		t.Errorf("%d addresses are remembered for good logins", len(d.limiter.buckets))
	}
}

func TestPacerIsBounded(t *testing.T) {
	t.Parallel()
	p, now := newFailureLimiter(), time.Unix(1_700_000_000, 0)
	address := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	refused := 0
	for i := range 3 * maxLimited {
		if !p.take(address(i), now) {
			refused++
		}
	}
	if len(p.buckets) > maxLimited || refused != 2*maxLimited {
		t.Errorf("%d addresses, %d refused", len(p.buckets), refused)
	}
	if !p.take(address(5*maxLimited), now.Add(restFor)) {
		t.Error("no room after everybody has rested")
	}
}

func TestNeighboursInOneIPv6NetworkShareTries(t *testing.T) {
	t.Parallel()
	a, b, c := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::ffff"), netip.MustParseAddr("2001:db8:0:1::1")
	if host.Network(a) != host.Network(b) || host.Network(a) == host.Network(c) || host.Network(netip.MustParseAddr("::ffff:10.0.0.1")) != host.Network(netip.MustParseAddr("10.0.0.1")) {
		t.Error("networks are not told apart as they should be")
	}
}

func TestVerifiedCredentialsAreBounded(t *testing.T) {
	t.Parallel()
	d := newAuthenticator(users(t, "app", "right"), nil)
	now := time.Now()
	for i := range 2 * verifiedLimit {
		d.remember(d.digest(fmt.Sprint(i)), verified{"app", now.Add(verifiedFor)}, now)
	}
	if len(d.seen) > verifiedLimit {
		t.Errorf("%d are remembered", len(d.seen))
	}
	d.remember(d.digest("later"), verified{"app", now.Add(3 * verifiedFor)}, now.Add(2*verifiedFor))
	if len(d.seen) != 1 {
		t.Errorf("%d are remembered after all but one are stale", len(d.seen))
	}
}

func TestNothingOfAPasswordIsKept(t *testing.T) {
	t.Parallel()
	d := newAuthenticator(users(t, "app", "hunter2"), nil)
	if _, err := d.authenticate(guesser, basic("app", "hunter2")); err != nil {
		t.Fatal("refused")
	}
	if dump := fmt.Sprintf("%+v", d.seen); strings.Contains(dump, "hunter2") || len(d.seen) != 1 {
		t.Errorf("remembered: %s", dump)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	d := newAuthenticator(users(t, "app", "right"), nil)
	var wg sync.WaitGroup
	for i := range 32 { // 16 good ones are one check, 8 of the bad are no credentials at all
		wg.Go(func() {
			address := netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
			header := [4]string{basic("app", "right"), "Basic !", basic("app", "right"), basic("app", "wrong")}[i%4]
			if _, err := d.authenticate(address, header); (err == nil) != (i%2 == 0) {
				t.Errorf("%s: %t", header, err)
			}
		})
	}
	wg.Wait()
}

func TestNobodyIsLetInByAnEmptyFile(t *testing.T) {
	t.Parallel()
	u, problems := ParseHtpasswd(nil)
	l, err := New(Options{Users: u})
	if err != nil || len(problems) != 0 {
		t.Fatal(err, problems)
	}
	if _, err := l.Request(from("10.0.0.1"), basic("", ""), "", "", nil); err == nil {
		t.Error("let in")
	}
}
