//go:build linux

package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"tlslift/test/certs"
	"tlslift/test/fault"
)

// distance is how long a byte travels to the far upstream, and back.
const distance = 20 * time.Millisecond

// bench is what all sections share: the upstream, the relay before it,
// certificates made for this run, and the children to end.
type bench struct {
	options
	dir             string
	cores           int
	versions        []string
	upstreamAddress string
	relay           *fault.Relay
	upCA            string
	roots           *x509.CertPool
	leaf            string
	oldCA           string
	launched        int
	children        []*process
}

func newBench(o options) (*bench, error) {
	binary, err := filepath.Abs(o.binary)
	if err != nil {
		return nil, err
	}
	o.binary = binary
	if o.against != "" {
		if o.against, err = filepath.Abs(o.against); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp("", "tlslift-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a place for files: %w", err)
	}
	b := &bench{options: o, dir: dir}
	if err := b.prepare(); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) prepare() error {
	// Squid gives up root, and its logs go here too.
	if err := os.Chmod(b.dir, 0o777); err != nil {
		return err
	}
	online, err := exec.Command("getconf", "_NPROCESSORS_ONLN").Output()
	if err != nil {
		return fmt.Errorf("counting cores: %w", err)
	}
	if _, err := fmt.Sscan(string(online), &b.cores); err != nil || b.cores < 2 {
		return fmt.Errorf("two cores are needed, there are %d", b.cores)
	}
	b.versions = b.askVersions()
	if err := b.makeCertificates(); err != nil {
		return err
	}
	if out, err := exec.Command(b.binary, "ca", "init", "--dir", b.oldCA, "--domain", "smsportal.com").CombinedOutput(); err != nil {
		return fmt.Errorf("tlslift ca init: %w\n%s", err, out)
	}
	return b.startUpstream()
}

// askVersions is what the contestants say they are, one line each.
func (b *bench) askVersions() []string {
	var lines []string
	for _, ask := range [][]string{{b.binary, "version"}, {"haproxy", "-v"}, {"nginx", "-v"}, {"squid", "-v"}} {
		out, _ := exec.Command(ask[0], ask[1:]...).CombinedOutput()
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		line, _, _ = strings.Cut(line, " - ")
		lines = append(lines, line)
	}
	return lines
}

// makeCertificates makes the upstream's CA and leaf (ECDSA, as the real API
// has) and an RSA leaf for HAProxy's old callers.
func (b *bench) makeCertificates() error {
	up, err := certs.NewCA("Upstream of the benchmark", certs.ECDSA)
	if err != nil {
		return err
	}
	upLeaf, err := up.Issue(certs.Leaf{Names: []string{host, far}})
	if err != nil {
		return err
	}
	old, err := certs.NewCA("For HAProxy's old callers", certs.RSA)
	if err != nil {
		return err
	}
	oldLeaf, err := old.Issue(certs.Leaf{Names: []string{host}})
	if err != nil {
		return err
	}
	pki := filepath.Join(b.dir, "pki")
	if err := os.Mkdir(pki, 0o755); err != nil {
		return err
	}
	b.upCA, b.leaf, b.oldCA = filepath.Join(pki, "upstream-ca.pem"), filepath.Join(pki, "leaf.pem"), filepath.Join(pki, "old")
	b.roots = x509.NewCertPool()
	b.roots.AppendCertsFromPEM(up.PEM())
	return errors.Join(
		os.WriteFile(b.upCA, up.PEM(), 0o644),
		writePair(filepath.Join(pki, "upstream.pem"), upLeaf.Certificate, upLeaf.PrivateKey),
		writePair(b.leaf, oldLeaf.Certificate, oldLeaf.PrivateKey),
	)
}

// writePair writes a chain followed by its key, as HAProxy reads them.
func writePair(path string, chain [][]byte, key any) error {
	var text []byte
	for _, der := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("writing a key: %w", err)
	}
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	return os.WriteFile(path, text, 0o600)
}

func (b *bench) startUpstream() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if b.upstreamAddress, err = freeAddress(); err != nil {
		return err
	}
	pair := filepath.Join(filepath.Dir(b.upCA), "upstream.pem")
	p, err := start("upstream", callerCore, b.dir, nil, self, "upstream", b.upstreamAddress, pair, pair)
	if err != nil {
		return err
	}
	b.children = append(b.children, p)
	if err := p.ready(b.upstreamAddress); err != nil {
		return err
	}
	b.relay, err = fault.NewRelay(b.upstreamAddress, distance)
	return err
}

// retire ends contestants before the next section begins.
func (b *bench) retire(all ...*contestant) {
	for _, c := range all {
		c.stop()
		for i, child := range b.children {
			if child == c.process {
				b.children = append(b.children[:i], b.children[i+1:]...)
				break
			}
		}
	}
}

// close ends the children, newest first, and removes the files.
func (b *bench) close() {
	for i := len(b.children) - 1; i >= 0; i-- {
		b.children[i].stop()
	}
	if b.relay != nil {
		_ = b.relay.Close()
	}
	_ = os.RemoveAll(b.dir)
}
