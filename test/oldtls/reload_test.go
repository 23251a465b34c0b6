package oldtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"tlslift/proxy/authority"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestCAIsReplacedByItsFiles: a new CA is in force once its files are there,
// with no signal and no lost connection; broken files leave the old one.
func TestCAIsReplacedByItsFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := versionedCA(t, dir, "1")
	s := bare(t, portal(t, smsportal.Options{}), fmt.Sprintf(
		"legacy_tls: {ca: {cert_file: %s, key_file: %s}}", filepath.Join(dir, authority.CAFile), filepath.Join(dir, authority.KeyFile)))
	s.ours = poolOf(t, files.Root)
	kept := s.hello(t, connect, legacy, speaking(tls.VersionTLS10, s.ours, legacy))
	kept.Send(ask(legacy, credits)).Answer("GET")

	mark := s.Mark()
	next := versionedCA(t, dir, "2")
	s.WaitLogAfter(mark, harness.Match{"msg": "reloaded"})
	for _, w := range ways {
		c := s.hello(t, w, legacy, speaking(tls.VersionTLS10, poolOf(t, next.Root), legacy))
		if answer := c.Send(ask(legacy, credits)).Answer("GET"); answer.StatusCode != 200 {
			t.Errorf("with the new CA: %d", answer.StatusCode)
		}
	}
	if answer := kept.Send(ask(legacy, credits)).Answer("GET"); answer.StatusCode != 200 {
		t.Errorf("the connection of the old CA: %d", answer.StatusCode)
	}
	if _, body := s.Get("/ca.pem"); body != text(t, next.Root) {
		t.Error("/ca.pem is not the new root")
	}

	mark = s.Mark()
	harness.WriteFile(t, filepath.Join(dir, authority.CAFile), "no certificate")
	s.WaitLogAfter(mark, harness.Match{"level": "error"})
	c := s.hello(t, connect, legacy, speaking(tls.VersionTLS10, poolOf(t, next.Root), legacy))
	if answer := c.Send(ask(legacy, credits)).Answer("GET"); answer.StatusCode != 200 {
		t.Errorf("after broken files: %d", answer.StatusCode)
	}
	if got := s.Metrics().Sum("tlslift_config_last_reload_successful"); got != 0 {
		t.Errorf("the reload counts as successful: %v", got)
	}
}

// versionedCA makes a CA and puts it in force as Kubernetes does with a
// Secret: each file is a symlink through ..data, which is swapped.
func versionedCA(t *testing.T, dir, version string) authority.Files {
	t.Helper()
	files, err := authority.Init(authority.InitOptions{Dir: filepath.Join(dir, "..version"+version), Domains: domains, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	swap := func(to, link string) {
		if err := os.Symlink(to, filepath.Join(dir, link+".next")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, link+".next"), filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	swap("..version"+version, "..data")
	for _, name := range []string{authority.CAFile, authority.KeyFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			swap(filepath.Join("..data", name), name)
		}
	}
	return files
}

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestCAArrivesAndGoes by configuration: from then on old clients are served,
// or refused, and the metric says until when.
func TestCAArrivesAndGoes(t *testing.T) {
	t.Parallel()
	s := bare(t, portal(t, smsportal.Options{}), "")
	files := sharedCA(t)
	old := spelled{version: tls.VersionTLS10, suites: plainSuites, sni: api}
	refused(t, say(t, connect.open(t, s, api), old.wire()), alertProtocolVersion)
	s.counts(t, wants{0, "tlslift_ca_not_after_timestamp_seconds", nil})

	mark := s.Mark()
	s.Reconfigure(fmt.Sprintf("legacy_tls: {ca: {cert_file: %s, key_file: %s}}", files.CA, files.Key))
	s.WaitLogAfter(mark, harness.Match{"msg": "reloaded"})
	c := s.hello(t, connect, legacy, speaking(tls.VersionTLS10, poolOf(t, files.Root), legacy))
	if answer := c.Send(ask(legacy, credits)).Answer("GET"); answer.StatusCode != 200 {
		t.Errorf("%d", answer.StatusCode)
	}
	chain, err := authority.ParseCertificates([]byte(text(t, files.CA)))
	if err != nil {
		t.Fatal(err)
	}
	s.counts(t, wants{float64(chain[0].NotAfter.Unix()), "tlslift_ca_not_after_timestamp_seconds", nil})

	mark = s.Mark()
	s.Reconfigure("")
	s.WaitLogAfter(mark, harness.Match{"msg": "reloaded"})
	refused(t, say(t, connect.open(t, s, api), old.wire()), alertProtocolVersion)
	s.counts(t, wants{0, "tlslift_ca_not_after_timestamp_seconds", nil})
}

// TestTicketsOfAChangedCAEnd: a session that was made under one CA is not resumed
// under the next, so a client that does not know that one finds out.
func TestTicketsOfAChangedCAEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := versionedCA(t, dir, "1")
	s := bare(t, portal(t, smsportal.Options{}), fmt.Sprintf(
		"legacy_tls: {ca: {cert_file: %s, key_file: %s}}", filepath.Join(dir, authority.CAFile), filepath.Join(dir, authority.KeyFile)))
	old := speaking(tls.VersionTLS10, poolOf(t, first.Root), legacy)
	old.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	call := func(config *tls.Config, resumed bool) {
		t.Helper()
		c := s.hello(t, direct, legacy, config)
		defer c.Close()
		c.Send(ask(legacy, credits)).Answer("GET")
		if got := c.tls.ConnectionState().DidResume; got != resumed {
			t.Errorf("resumed: %t", got)
		}
	}
	call(old, false)
	call(old, true)
	mark := s.Mark()
	second := versionedCA(t, dir, "2")
	s.WaitLogAfter(mark, harness.Match{"msg": "reloaded"})
	conn := tls.Client(direct.open(t, s, legacy), old)
	var unknown x509.UnknownAuthorityError
	if err := conn.Handshake(); !errors.As(err, &unknown) {
		t.Errorf("a client of the old CA: %v, resumed %t", err, conn.ConnectionState().DidResume)
	}
	s.WaitMetric(1, "tlslift_client_handshake_failures_total", "reason", "client_rejected_ca")
	both := speaking(tls.VersionTLS10, poolOf(t, second.Root), legacy)
	both.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	call(both, false)
	call(both, true)
}

// TestResumption: an old client that reconnects resumes its session, after a
// reload and an upgrade too.
func TestResumption(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	config := speaking(tls.VersionTLS10, s.ours, legacy)
	config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	resumes := func(want bool) {
		t.Helper()
		c := s.hello(t, direct, legacy, config)
		c.Send(ask(legacy, credits)).Answer("GET")
		if got := c.tls.ConnectionState().DidResume; got != want {
			t.Errorf("resumed: %t", got)
		}
		c.Close()
	}
	resumes(false)
	resumes(true)
	mark := s.Mark()
	s.Reconfigure("log: {level: info}")
	s.WaitLogAfter(mark, harness.Match{"msg": "reloaded"})
	resumes(true)
	if runtime.GOOS != "windows" {
		s.Upgrade()
		resumes(true)
	}
}
