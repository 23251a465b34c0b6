package main

import (
	"fmt"
	"strings"
	"testing"

	"tlslift/proxy/redirect"
)

// Where status cannot work, in a sidecar, it says what can.
func TestRedirectStatusSaysWhereARuleCanBeRead(t *testing.T) {
	t.Parallel()
	err := explainStatus(fmt.Errorf("read: %w", redirect.ErrPermission))
	if !strings.Contains(err.Error(), "kubectl logs POD -c tlslift-redirect") {
		t.Error(err)
	}
	if err := explainStatus(redirect.ErrForeign); strings.Contains(err.Error(), "kubectl") {
		t.Error(err)
	}
}
