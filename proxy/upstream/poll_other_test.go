//go:build !unix

package upstream

import "testing"

// readable reports whether the background read of c has returned.
func readable(_ *testing.T, c *conn) bool { return c.watch != nil && c.watch.over() }

// pollerStub makes c look alive whatever its socket says.
func pollerStub(t *testing.T, _ *conn) { t.Skip("idle connections are not polled on this platform") }
