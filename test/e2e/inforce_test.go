package e2e

import (
	"strings"
	"syscall"
	"testing"

	"tlslift/test/harness"
)

// The log and the status page say which configuration is in force.
func TestWhichConfigurationIsInForce(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{})
	p.WaitLog(harness.Match{"msg": "ready", "config": p.Config})
	if status, body := p.Get("/"); status != 200 || !strings.Contains(body, "<dt>Configuration</dt><dd>"+p.Config+"</dd>") {
		t.Errorf("status %d; the page does not name %s", status, p.Config)
	}
	mark := p.Mark()
	p.Signal(syscall.SIGHUP)
	p.WaitLogAfter(mark, harness.Match{"msg": "reloaded", "config": p.Config})
}

// A log format that is changed and changed back leaves nothing for a restart.
func TestLogFormatChangedBack(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{})
	const later = "log.format changed: it takes effect at the next start"
	mark := p.Mark()
	p.Reconfigure("log: {format: console}")
	p.WaitLogAfter(mark, harness.Match{"msg": later})
	p.WaitLogAfter(mark, reloaded)
	mark = p.Mark()
	p.Reconfigure("log: {format: json}")
	p.WaitLogAfter(mark, reloaded)
	if lines := p.Lines(mark, harness.Match{"msg": later}); len(lines) > 0 {
		t.Errorf("logged %v", lines)
	}
}
