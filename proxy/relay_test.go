package proxy

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"tlslift/proxy/call"
)

// pipe is two connected TCP sockets.
func pipe(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := ln.Accept()
		if err == nil {
			accepted <- c
		}
	}()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a := <-accepted
	t.Cleanup(func() { c.Close(); a.Close() })
	return c.(*net.TCPConn), a.(*net.TCPConn)
}

// relaying starts a relay between a client and a server and returns their ends.
func relaying(t *testing.T, idle time.Duration, first []byte) (client, server *net.TCPConn, p *pair, done chan relayed) {
	t.Helper()
	client, near := pipe(t)
	far, server := pipe(t)
	p = newPair(near, far, first, idle)
	done = make(chan relayed, 1)
	go func() { done <- p.relay() }()
	return client, server, p, done
}

func TestRelayCarriesBothWaysAndPassesHalfCloses(t *testing.T) {
	t.Parallel()
	client, server, p, done := relaying(t, time.Minute, []byte("hello "))
	payload := make([]byte, 3<<20)
	_, _ = rand.Read(payload)
	go func() {
		_, _ = client.Write(payload)
		_ = client.CloseWrite()
	}()
	got, err := io.ReadAll(server)
	if err != nil || !bytes.Equal(got, append([]byte("hello "), payload...)) {
		t.Fatalf("the server got %d bytes (%v), want %d", len(got), err, len(payload)+6)
	}
	// The client has ended its side; the answer must still get through.
	go func() {
		_, _ = server.Write(payload[:100_000])
		server.Close()
	}()
	if got, err = io.ReadAll(client); err != nil || !bytes.Equal(got, payload[:100_000]) {
		t.Fatalf("the client got %d bytes (%v)", len(got), err)
	}
	res := <-done
	if res.up != int64(len(payload)+6) || res.down != 100_000 || p.end != call.EndClosed || !p.nearFirst {
		t.Errorf("%+v, %v", res, p.end)
	}
}

// timed starts a relay between pipes in memory, for tests with a clock of
// their own.
func timed(idle time.Duration) (client, server net.Conn, p *pair, done chan relayed) {
	client, near := net.Pipe()
	far, server := net.Pipe()
	done = make(chan relayed, 1)
	p = newPair(near, far, nil, idle)
	go func() { done <- p.relay() }()
	return client, server, p, done
}

// TestRelayPassesResetsOn: an answer without a length must not seem whole
// because its sender broke down.
func TestRelayPassesResetsOn(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(client, server *net.TCPConn) (breaks, told *net.TCPConn, end call.End){
		"far side": func(client, server *net.TCPConn) (_, _ *net.TCPConn, _ call.End) {
			return server, client, call.EndResetByUpstream
		},
		"near side": func(client, server *net.TCPConn) (_, _ *net.TCPConn, _ call.End) {
			return client, server, call.EndResetByClient
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server, p, done := relaying(t, time.Minute, nil)
			breaks, told, end := broken(client, server)
			_, _ = breaks.Write([]byte("half an ans"))
			if _, err := io.ReadFull(told, make([]byte, 11)); err != nil {
				t.Fatal(err)
			}
			_ = breaks.SetLinger(0)
			_ = breaks.Close()
			if _, err := told.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
				t.Errorf("the other side is told %v", err)
			}
			if <-done; p.end != end || p.nearFirst != (end == call.EndResetByClient) {
				t.Errorf("the relay ended %v, the near side first: %v", p.end, p.nearFirst)
			}
		})
	}
}

func TestRelayEndsWhenIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, _, p, done := timed(time.Hour)
		began := time.Now()
		if <-done; p.end != call.EndIdle || time.Since(began) != time.Hour {
			t.Errorf("%v after %v", p.end, time.Since(began))
		}
		if _, err := client.Read(make([]byte, 1)); err == nil {
			t.Error("the client's connection is still open")
		}
	})
}

func TestRelayIsKeptAwakeByEitherDirection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server, p, done := timed(3 * time.Minute)
		go func() { _, _ = io.Copy(io.Discard, client) }()
		for range 8 {
			time.Sleep(2 * time.Minute)
			if _, err := server.Write([]byte("x")); err != nil {
				t.Fatal("the relay took a speaking pair for idle")
			}
		}
		server.Close()
		if res := <-done; res.down != 8 || p.end == call.EndIdle {
			t.Errorf("%+v, %v", res, p.end)
		}
	})
}

func TestDrainClosesWhatTheFarSideAnsweredAndKeepsWhatWaits(t *testing.T) {
	t.Parallel()
	client, server, p, done := relaying(t, time.Minute, nil)
	if _, err := client.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(server, make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	p.Drain()
	if _, err := server.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(client, make([]byte, 6)); err != nil {
		t.Fatal("a drain cut a tunnel that was waiting for its answer")
	}
	if <-done; p.end != call.EndIdle {
		t.Errorf("%v: want it closed as idle", p.end)
	}
}

// A call on a connection that lives for days is mentioned once an hour, and only
// when the far side answers.
func TestRelayMentionsLaterCallsOnceInARenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, near := net.Pipe()
		far, server := net.Pipe()
		p := newPair(near, far, nil, 24*time.Hour)
		mentioned := make(chan time.Time, 100)
		p.looking.Store(false) // the beginning of TLS is over
		p.onRenewal = func() { mentioned <- time.Now() }
		done := make(chan relayed, 1)
		go func() { done <- p.relay() }()
		go func() { _, _ = io.Copy(io.Discard, client) }()
		go func() { _, _ = io.Copy(io.Discard, server) }()
		began := time.Now()
		for range 3 * 60 {
			time.Sleep(time.Minute)
			_, _ = client.Write([]byte("ask"))
			_, _ = server.Write([]byte("answer"))
		}
		for range 120 {
			time.Sleep(time.Minute)
			_, _ = client.Write([]byte("nobody answers"))
		}
		client.Close()
		server.Close()
		<-done
		close(mentioned)
		var minutes []int
		for at := range mentioned {
			minutes = append(minutes, int(at.Sub(began)/time.Minute))
		}
		if len(minutes) != 2 || minutes[0] <= 60 || minutes[1]-minutes[0] < 60 {
			t.Errorf("mentioned at minutes %v, want two, an hour apart", minutes)
		}
	})
}
