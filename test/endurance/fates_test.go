package endurance

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"tlslift/test/fault"
)

const (
	small  = 4 << 10
	large  = 3 << 19 // 1.5 MiB, beyond limits.response_buffer
	upload = 256 << 10
)

// fate is what the upstream does to a request. The request's target names it,
// so the server that receives it knows.
type fate struct {
	name   string
	weight int
	run    func(id string) fault.Action
	// What the caller is to be told when the fate is met: the upstream's own
	// status and body, or that it is not known what became of the request.
	status int
	body   func(id string) string // of an answer that is whole; nil = not looked at
	// cut answers are beyond the buffer: the head may have gone out, and then
	// only a visible end is left.
	cut    bool
	upload bool // the request carries a body that the upstream does not read
}

// echo is a body that only this request may get.
func echo(id string) string { return "answer to " + id }

func filled(size int) func(string) string {
	return func(id string) string { return id + strings.Repeat("x", size) }
}

func always(a fault.Action) func(string) fault.Action {
	return func(string) fault.Action { return a }
}

var released = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

var fates = []fate{
	{name: "answer", weight: 100, status: 200, body: echo, run: func(id string) fault.Action { return fault.Answer(echo(id)) }},
	{name: "answer-large", weight: 6, status: 200, body: filled(large), run: func(id string) fault.Action { return fault.Answer(filled(large)(id)) }},
	{name: "chunks", weight: 8, status: 200, body: func(id string) string { return id + "|" + id }, run: func(id string) fault.Action {
		return fault.ChunksAround(id+"|", released, id)
	}},
	{name: "until-close", weight: 6, status: 200, body: echo, run: func(id string) fault.Action { return fault.UntilClose(echo(id), fault.Close) }},
	{name: "drip", weight: 4, status: 200, body: echo, run: func(id string) fault.Action { return fault.Drip(echo(id), time.Millisecond) }},
	{name: "late", weight: 8, status: 200, run: always(fault.Delay(20 * time.Millisecond))},
	{name: "informational", weight: 4, status: 200, run: always(fault.Informational(3))},
	{name: "then-close", weight: 4, status: 200, run: always(fault.AnswerThenEnd(fault.Close))},
	{name: "then-cut", weight: 4, status: 200, run: always(fault.AnswerThenEnd(fault.Cut))},
	{name: "then-reset", weight: 4, run: always(fault.AnswerThenEnd(fault.Reset))}, // the reset may overtake the answer
	{name: "close-as-we-write", weight: 4, status: 200, run: always(fault.AnswerThenCloseOnNext(fault.Close))},
	{name: "reset-as-we-write", weight: 4, status: 200, run: always(fault.AnswerThenCloseOnNext(fault.Reset))},
	{name: "early", weight: 1, status: 413, upload: true, run: always(fault.Early(413))},
	{name: "read-close", weight: 4, run: always(fault.AfterRead(fault.Close))},
	{name: "read-cut", weight: 4, run: always(fault.AfterRead(fault.Cut))},
	{name: "read-reset", weight: 4, run: always(fault.AfterRead(fault.Reset))},
	{name: "head-reset", weight: 4, run: always(fault.AfterHead(fault.Reset))},
	{name: "half-head-close", weight: 2, run: always(fault.HalfHead(fault.Close))},
	{name: "half-head-reset", weight: 2, run: always(fault.HalfHead(fault.Reset))},
	{name: "half-body", weight: 2, run: always(fault.HalfBody(small, fault.Close))},
	{name: "half-body-reset", weight: 2, run: always(fault.HalfBody(small, fault.Reset))},
	{name: "half-chunks", weight: 2, run: always(fault.HalfChunked(small, fault.Close))},
	{name: "cut-off", weight: 2, run: always(fault.UntilClose("cut off", fault.Cut))},
	{name: "half-large", weight: 2, cut: true, run: always(fault.HalfBody(2*large, fault.Close))},
	{name: "half-large-chunks", weight: 2, cut: true, run: always(fault.HalfChunked(large, fault.Reset))},
	{name: "garbage", weight: 2, run: always(fault.Garbage())},
	{name: "huge-head", weight: 1, run: always(fault.HugeHead(1 << 20))},
	{name: "stall", weight: 1, run: always(fault.Stall())},
	{name: "stall-in-body", weight: 1, run: always(fault.StallInBody(small))},
}

func fateNamed(name string) *fate {
	for i := range fates {
		if fates[i].name == name {
			return &fates[i]
		}
	}
	return nil
}

// pick is one of all, each as often as its weight says.
func pick[T any](r *rand.Rand, all []T, weight func(*T) int) *T {
	total := 0
	for i := range all {
		total += weight(&all[i])
	}
	n := r.IntN(total)
	for i := range all {
		if n -= weight(&all[i]); n < 0 {
			return &all[i]
		}
	}
	return nil
}

// target is the path that asks for a fate.
func (f *fate) target(id string) string { return "/" + f.name + "/" + id }

// script does what the request's target asks for.
func script(x *fault.Exchange) fault.Action {
	path, _, _ := strings.Cut(x.Seen.Target, "?")
	parts := strings.Split(path, "/")
	if len(parts) != 3 || fateNamed(parts[1]) == nil {
		return fault.Answer("no fate")
	}
	return fateNamed(parts[1]).run(parts[2])
}

// greet lets one connection in forty begin badly, whichever it is.
func greet(conn int) fault.Greeting {
	if conn%40 != 7 {
		return fault.Handshake
	}
	bad := []fault.Greeting{fault.CloseAtOnce, fault.ResetAtOnce, fault.GarbageHandshake, fault.CloseOnHello, fault.StallHandshake}
	return bad[conn/40%len(bad)]
}

// idOf finds the request's name in its head, which may be cut anywhere.
func idOf(head []byte) (string, error) {
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	parts := strings.FieldsFunc(string(line), func(r rune) bool { return r == ' ' || r == '/' || r == '?' })
	if len(parts) < 3 {
		return "", fmt.Errorf("the upstream received a head without a name: %.80q", head)
	}
	return parts[2], nil
}
