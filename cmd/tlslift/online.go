package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"tlslift/configs"
	"tlslift/metrics"
	"tlslift/proxy/host"
	"tlslift/proxy/redact"
	"tlslift/proxy/upstream"
)

// expirySoon is how long before a certificate expires `check --online` warns.
const expirySoon = 14 * 24 * time.Hour

// checkOnline probes the named hosts or, if there are none, every upstream that
// it can connect to.
func checkOnline(ctx context.Context, out io.Writer, in *loaded, named []string, timeout time.Duration) error {
	cfg, opts := in.cfg, in.settings.Upstream
	opts.Warm = 0
	opts.Own = listensAt(cfg) // a name that leads back here cannot work
	opts.Logger = zap.NewNop()
	var err error
	if opts.Observer, err = metrics.New(prometheus.NewRegistry(), metrics.Options{}); err != nil { // nobody reads it
		return err
	}
	transport, err := upstream.New(opts)
	if err != nil {
		return err
	}
	defer transport.Close()
	targets, err := namedTargets(transport, named)
	if err != nil {
		return err
	}
	if len(named) == 0 {
		if targets, err = configuredTargets(out, transport, cfg.Upstreams); err != nil {
			return err
		}
	}
	failed := 0
	for _, t := range targets {
		if err := probe(ctx, out, transport, t, timeout); err != nil {
			failed++
			explainFailure(out, cfg, t, err)
		}
	}
	switch {
	case failed > 0:
		return fmt.Errorf("upstreams that cannot be used: %d of %d", failed, len(targets))
	case len(targets) == 0:
		fmt.Fprintln(out, "no connection was tried, because every upstream is a pattern, so it is not known whether calls work")
	}
	return nil
}

// target is what to connect to, and its name in the output.
type target struct {
	text  string
	route *upstream.Route
}

// namedTargets returns the hosts that --upstream names. The configuration says
// how to reach them.
func namedTargets(t *upstream.Transport, names []string) (all []target, err error) {
	for _, text := range names {
		name, err := host.Parse(text)
		if err != nil {
			return nil, usageError{fmt.Errorf("--upstream %q: write a host to connect to, such as api.smsportal.com", redact.Value(text))}
		}
		route, ours := t.Snapshot().Route(name)
		if !ours {
			return nil, usageError{fmt.Errorf("--upstream %s: with --online, name a host of upstreams; this is not one of them", name)}
		}
		all = append(all, target{name.String(), route})
	}
	return all, nil
}

// configuredTargets returns the upstreams that can be connected to. If a pattern
// leads to another host, any name below it will do.
func configuredTargets(out io.Writer, t *upstream.Transport, upstreams []configs.Upstream) (all []target, err error) {
	for _, u := range upstreams {
		name := u.Host.Domain()
		switch {
		case u.Host.Wild() && u.To.IsZero():
			fmt.Fprintf(out, "%s: not tried, because it is a pattern; to try one of its hosts, add --upstream HOST\n", u.Host)
			continue
		case u.Host.Wild():
			if name, err = host.Parse("probe." + name.String()); err != nil {
				return nil, err
			}
		}
		route, ours := t.Snapshot().Route(name)
		if !ours {
			return nil, fmt.Errorf("%s: no route", u.Host)
		}
		all = append(all, target{u.Host.String(), route})
	}
	return all, nil
}

func probe(ctx context.Context, out io.Writer, t *upstream.Transport, to target, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%v (--timeout)", timeout))
	defer cancel()
	addr, state, err := t.Probe(ctx, to.route)
	if err != nil {
		return err
	}
	chain := state.VerifiedChains[0]
	expires := chain[0].NotAfter
	tw := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(out, "%s: ok\n", to.text)
	fmt.Fprintf(tw, "  address\t%s\n", addr)
	fmt.Fprintf(tw, "  TLS\t%s, %s\n", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))
	for i, c := range chain {
		fmt.Fprintf(tw, "  chain %d\t%s, pin %s\n", i, nameOf(i, c), pinOf(c))
		if c.NotAfter.Before(expires) {
			expires = c.NotAfter
		}
	}
	left := time.Until(expires)
	note := ""
	if left < expirySoon {
		note = "  EXPIRES SOON"
	}
	fmt.Fprintf(tw, "  expires\t%s, in %d days%s\n", expires.UTC().Format(time.DateOnly), int(left.Hours()/24), note)
	return tw.Flush()
}

// nameOf returns what the i-th certificate of a chain is for.
func nameOf(i int, c *x509.Certificate) string {
	if i == 0 && len(c.DNSNames) > 0 {
		return strings.Join(c.DNSNames, ", ")
	}
	if c.Subject.CommonName == "" {
		return c.Subject.String()
	}
	return c.Subject.CommonName
}

// pinOf returns the pin of a certificate's key, as in upstreams[].pins (RFC 7469
// section 2.4).
func pinOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return "sha256/" + base64.StdEncoding.EncodeToString(sum[:])
}

// explainFailure prints why an upstream cannot be used, the certificates it
// showed, and what to do.
func explainFailure(out io.Writer, cfg *configs.Config, to target, err error) {
	reason, cause := "failed", err
	failure, ok := errors.AsType[*upstream.Error](err)
	if ok {
		reason = failure.Reason.String()
		if failure.Err != nil {
			cause = failure.Err
		}
	}
	fmt.Fprintf(out, "%s: FAILED: %s\n", to.text, reason)
	tw := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(tw, "  cause\t%v\n", cause)
	if verification, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		for i, c := range verification.UnverifiedCertificates {
			fmt.Fprintf(tw, "  shown %d\t%s, issued by %s, until %s, pin %s\n", i, nameOf(i, c), c.Issuer, c.NotAfter.UTC().Format(time.DateOnly), pinOf(c))
		}
	}
	if failure != nil {
		if advice := adviceOn(cfg, to.route, failure); advice != "" {
			fmt.Fprintf(tw, "  what to do\t%s\n", advice)
		}
	}
	_ = tw.Flush()
}
