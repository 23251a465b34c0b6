// Package contain keeps a panic in the piece of work that it came from. A goroutine
// that ends by a panic ends the process, and with it every call under way.
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

// Do runs f and returns its error. A panic of f is logged, and becomes ErrPanic.
// what says in the log what was being done.
func Do(log *zap.Logger, what string, f func() error) (err error) {
	defer func() {
		if recover() != nil { // the value may hold what a caller sent
			log.Error("panic in the background", zap.String("where", what), zap.String("stack", Functions(debug.Stack())))
			err = ErrPanic
		}
	}()
	return f()
}

// Functions keeps of a stack the functions and lines. Their arguments may be what
// a caller sent.
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
