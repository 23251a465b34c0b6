package contain

import (
	"errors"
	"io"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestDo(t *testing.T) {
	t.Parallel()
	core, seen := observer.New(zap.DebugLevel)
	log := zap.New(core)
	for _, want := range []error{nil, io.EOF} {
		if err := Do(log, "work", func() error { return want }); !errors.Is(err, want) {
			t.Error(err)
		}
	}
	if seen.Len() != 0 {
		t.Errorf("logged %v", seen.All())
	}
	if err := Do(log, "work", func() error { fails("secret"); return nil }); !errors.Is(err, ErrPanic) {
		t.Error(err)
	}
	if seen.Len() != 1 {
		t.Fatalf("%d lines", seen.Len())
	}
	fields := seen.All()[0].ContextMap()
	if stack := fields["stack"].(string); fields["where"] != "work" || !strings.Contains(stack, "contain.fails") || strings.Contains(stack, "secret") {
		t.Errorf("logged %v", fields)
	}
}

func fails(value string) { panic(value) }
