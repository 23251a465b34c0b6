package main

import (
	"time"

	"tlslift/metrics"
	"tlslift/proxy/upstream"
)

// observer is the metrics as the upstream side reports to them.
type observer struct{ *metrics.Metrics }

func (o observer) Phase(label string, p upstream.Phase, d time.Duration) {
	o.UpstreamPhase(label, p.String(), d)
}

func (o observer) Handshake(label string, version, cipher uint16, resumed bool) {
	o.UpstreamHandshake(label, version, cipher, resumed)
}

func (o observer) Certificate(label string, notAfter time.Time) {
	o.UpstreamCertificate(label, notAfter)
}

func (o observer) Pool(label string, idle, busy int) { o.UpstreamPool(label, idle, busy) }

func (o observer) ClassicHello(label string) { o.UpstreamClassicHello(label) }
