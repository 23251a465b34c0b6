package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestUnlikelyDatesAreNoted by check and in the log at the start: declarations
// that are still to come, and a target that has passed.
func TestUnlikelyDatesAreNoted(t *testing.T) {
	t.Parallel()
	day := time.Now().UTC().AddDate(0, 6, 0).Format(time.DateOnly)
	config := "listen: [{address: '127.0.0.1:0', client: billing}]\npolicy: {target: 2026-01-31, clients: {billing: {migrated: " + day + "}}}\n"
	note := "policy.clients.billing.migrated is in the future (" + day + "): it has no effect until then"
	got := harness.Run(t, nil, "check", "--config", harness.TempFile(t, "early.yaml", config))
	if got.Code != 0 || !strings.Contains(got.Stdout, "note: "+note+"\n") || !strings.Contains(got.Stdout, "note: policy.target is in the past (2026-01-31): ") {
		t.Errorf("check says %d %s%s", got.Code, got.Stdout, got.Stderr)
	}
	s := harness.Start(t, harness.Options{Config: config})
	s.WaitLog(harness.Match{"level": "warn", "msg": "configuration", "problem": note})
}

// TestDeclaredIsNotProven: a declaration counts for a client that was seen. For
// a name that nobody has it is an error that page, API, report and check show.
func TestDeclaredIsNotProven(t *testing.T) {
	t.Parallel()
	const config = `
listen: [{address: '127.0.0.1:0', client: billing}, {address: '127.0.0.1:0', client: never}]
policy: {clients: {bilingg: {migrated: 2026-01-01}, never: {migrated: 2026-01-01}, billing: {}}}`
	_, p := portal(t, smsportal.Options{}, config)
	p.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n")
	p.WaitMetric(1, requestsTotal, "client", "billing")

	_, body := p.Get("/api/v1/clients")
	var list struct {
		Clients []struct {
			Client, State string
			Misdeclared   bool
		}
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatalf("%v in %.300s", err, body)
	}
	for _, c := range list.Clients {
		want := "unseen"
		if c.Client == "billing" {
			want = "insecure"
		}
		if c.State != want || c.Misdeclared == (c.Client == "billing") {
			t.Errorf("%+v", c)
		}
	}
	if _, page := p.Get("/"); !strings.Contains(page, "<strong>2</strong> declared migrated, and never seen making a call") {
		t.Error("the status page does not say so")
	}
	const misspelt = "Declared migrated on 2026-01-01, never seen making a call, and nothing else in the configuration names it: compare it with clients.names and the client of each listener."
	const unseen = "Declared migrated on 2026-01-01, and never seen making a call: compare its name with those of the clients that tlslift sees."
	for client, want := range map[string]string{"bilingg": misspelt, "never": unseen} {
		if _, page := p.Get("/clients/" + client); strings.Count(page, want) != 1 {
			t.Errorf("the page of %s does not say once: %s", client, want)
		}
	}
	report := harness.Run(t, nil, "report", "--admin", "http://"+p.AdminAddr())
	if !strings.Contains(report.Stdout, "Declared migrated and never seen making a call: 2.") || strings.Contains(report.Stdout, "1 migrated") || !strings.Contains(report.Stdout, misspelt) || !strings.Contains(report.Stdout, unseen) {
		t.Errorf("the report says %s", report.Stdout)
	}
	// Several instances say as much, unless the configuration of one has the name.
	_, twin := portal(t, smsportal.Options{}, config)
	_, other := portal(t, smsportal.Options{}, "listen: [{address: '127.0.0.1:0', client: bilingg}]")
	for second, want := range map[string]string{twin.AdminAddr(): misspelt, other.AdminAddr(): unseen} {
		got := harness.Run(t, nil, "report", "--admin", p.AdminAddr(), "--admin", second, "--only", "misdeclared")
		var line string
		for l := range strings.Lines(got.Stdout) {
			if strings.HasPrefix(l, "bilingg ") {
				line = l
			}
		}
		if !strings.HasSuffix(line, "-      "+want+"\n") {
			t.Errorf("the report of two says %s%s", got.Stdout, got.Stderr)
		}
	}
	file := harness.TempFile(t, "declared.yaml", "listen: [{address: '127.0.0.1:0', client: never}]\npolicy: {clients: {bilingg: {migrated: 2026-01-01}, never: {migrated: 2026-01-01}, 10.0.0.1: {migrated: 2026-01-01}}}\n")
	check := harness.Run(t, nil, "check", "--config", file)
	if out := check.Stdout + check.Stderr; check.Code != 0 || strings.Count(out, "it is declared migrated, and nothing else") != 1 || !strings.Contains(out, "policy.clients.bilingg") {
		t.Errorf("check says %d %s", check.Code, out)
	}
}
