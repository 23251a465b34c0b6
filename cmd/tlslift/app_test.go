package main

import (
	"context"
	"testing"

	"go.uber.org/zap"
	logs "go.uber.org/zap/zaptest/observer"
)

// A second signal ends every wait at once. What had ended before is no error: the
// process whose place this one took, or none.
func TestOnlyAPredecessorThatHasNotEndedIsLogged(t *testing.T) {
	t.Parallel()
	core, logged := logs.New(zap.ErrorLevel)
	a := &app{log: &logging{Logger: zap.New(core)}, adopted: make(chan struct{})}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	a.awaitAdopted(over)
	if logged.Len() != 1 {
		t.Errorf("of one that has not ended: logged %v", logged.All())
	}
	close(a.adopted)
	for range 100 {
		a.awaitAdopted(over)
	}
	if logged.Len() != 1 {
		t.Errorf("of one that has ended, or never was: logged %d times", logged.Len()-1)
	}
}
