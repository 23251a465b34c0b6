// Package contain confines a panic to the work that caused it. Otherwise a panic in
// any goroutine ends the process, and every call in flight with it.
package contain

import (
	"bytes"
	"errors"
	"runtime/debug"
	"strings"

	"go.uber.org/zap"
)

// ErrPanic is the error of work that panicked.
var ErrPanic = errors.New("a defect of tlslift, see its log")

// Do runs f and returns its error. If f panics, Do logs the panic and returns
// ErrPanic. what names the work in the log.
func Do(log *zap.Logger, what string, f func() error) (err error) {
	defer func() {
		if recover() != nil { // not logged: the value may hold what a caller sent
			log.Error("panic in the background", zap.String("where", what), zap.String("stack", Functions(debug.Stack())))
			err = ErrPanic
		}
	}()
	return f()
}

// Functions returns the functions and lines of a stack trace, without arguments,
// which may hold what a caller sent.
func Functions(stack []byte) string {
	var out []string
	for l := range bytes.Lines(stack) {
		text := strings.TrimSpace(string(l))
		if i := strings.LastIndexByte(text, '('); i > 0 && !strings.Contains(text, ".go:") {
			text = text[:i]
		}
		out = append(out, text)
	}
	return strings.Join(out, " | ")
}
