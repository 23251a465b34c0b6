// Package thirty is a scripted migration: what some thirty clients do in the
// month before Now, what two gateways and some sidecars export of it, and what
// the rules of deploy/prometheus make of that, day by day.
package thirty

import (
	"time"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
)

const day = 24 * time.Hour

// The month: the sidecar that can be removed must have been watched for 31
// days, so there is a day more.
const (
	Days = 32
	// MigratedAfter is what the rules have.
	MigratedAfter = 14 * day
	// Scrape is the time between two samples.
	Scrape = 2 * time.Minute
)

// Now is the end of the month, and Start its beginning.
var (
	Now   = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	Start = Now.Add(-Days * day)
)

// Target is the end of the day by which all shall be done.
var Target = time.Date(2026, 8, 11, 0, 0, 0, 0, time.UTC)

// Ago is a time before Now in days; a negative one is to come.
func Ago(days float64) time.Time { return Now.Add(-time.Duration(days * float64(day))) }

// span is a time in days before Now, from > to.
type span struct{ from, to float64 }

func (s span) has(ago float64) bool { return s.from >= ago && ago > s.to }

// always is the whole month, ever what began before it ended.
var always = []span{{Days, -1}}

// nights is half an hour before each midnight, and so much after it, until
// some days before Now.
func nights(last, after float64) []span {
	var all []span
	for night := Days - 1.0; night > last; night-- {
		all = append(all, span{night + 0.5 + 0.5/24, night + 0.5 - after/24})
	}
	return all
}

func until(ago float64) []span { return []span{{Days, ago}} }
func since(ago float64) []span { return []span{{ago, -1}} }

// Client is one line of the script.
type Client struct {
	Name    string
	Library string
	Source  string // of the name
	Verdict ledger.Verdict

	perDay   float64
	insecure []span
	secure   []span
	version  call.Version // when insecure
	modern   call.Version // when secure
	ingress  call.Ingress // when insecure
	secret   string       // kind, when insecure
	rejects  []span       // when it ends handshakes because of the CA instead
	knocks   []span       // when it only shakes hands

	declared float64 // in days before Now; 0 is never
	sidecar  bool    // it has its own; else it comes through the gateways
}

// Sidecar reports whether the client comes through a sidecar of its own.
func (c *Client) Sidecar() bool { return c.sidecar }

// Runtime is the client's library and program: the script has one name for
// either.
func (c *Client) Runtime() (library, program string) {
	switch {
	case c.Library == "":
		return "unknown", "unknown"
	case call.ParseFamily(c.Library) != call.FamilyOther:
		return "unknown", c.Library
	default:
		return c.Library, "unknown"
	}
}

const (
	plain = call.VersionNone
	tls10 = call.Version10
	tls11 = call.Version11
	tls12 = call.Version12
	tls13 = call.Version13
)

// Clients is the script.
var Clients = []Client{
	// Still insecure.
	{Name: "php-billing", Library: "PHP", Verdict: ledger.Plaintext, perDay: 4000, insecure: always, secret: "query"},
	{Name: "delphi-till", Library: "Synapse", Verdict: ledger.Plaintext, perDay: 1800, insecure: always, ingress: call.Gateway, secret: "form"},
	{Name: "vb6-reminders", Library: "WinHTTP", Verdict: ledger.Plaintext, perDay: 120, insecure: always, secret: "query"},
	{Name: "shop/checkout", Library: "Java 7", Verdict: ledger.LegacyOnly, perDay: 700, insecure: always, version: tls10, ingress: call.Connect, secret: "basic", sidecar: true},
	{Name: "clinic-reminders", Library: "PHP", Verdict: ledger.Plaintext, perDay: 640, insecure: until(3), secret: "query", secure: since(3), modern: tls12},
	{Name: "warehouse", Library: "Indy", Verdict: ledger.SSLv2Framed, perDay: 210, insecure: until(6), version: tls10, ingress: call.Connect, secret: "basic", secure: since(7), modern: tls12},

	// On the way: secure now, and insecure within two weeks.
	{Name: "web-shop", Library: "OpenSSL 1.0.0 or older", Verdict: ledger.LegacyOnly, perDay: 2600, insecure: until(10), version: tls10, ingress: call.Connect, secret: "basic", secure: since(12), modern: tls12},
	{Name: "hr-portal", Library: ".NET 2-3.5", Verdict: ledger.Plaintext, perDay: 350, insecure: until(8), secret: "soap", secure: since(8), modern: tls12},
	{Name: "pos-sync", Library: "WinHTTP", Verdict: ledger.Capable, perDay: 900, insecure: until(12), secret: "form", secure: since(12), modern: tls13},

	// Done.
	{Name: "java6-crm", Library: "Java 6 or older", Verdict: ledger.LegacyOnly, perDay: 2500, insecure: until(18), version: tls10, ingress: call.Connect, secret: "basic", secure: since(18), modern: tls12},
	{Name: "dotnet-reports", Library: ".NET 4", Verdict: ledger.Plaintext, perDay: 900, insecure: until(21), secret: "soap", secure: since(22), modern: tls12},
	{Name: "perl-alerts", Library: "Perl LWP", Verdict: ledger.Plaintext, perDay: 300, insecure: until(25), secret: "query", secure: since(25), modern: tls13},
	{Name: "erp-orders", Library: ".NET", Verdict: ledger.Capable, perDay: 3000, insecure: until(15.5), version: tls11, ingress: call.Connect, secret: "bearer", secure: since(20), modern: tls12},
	{Name: "loyalty", Library: "Ruby", Verdict: ledger.Plaintext, perDay: 1100, insecure: until(27), secret: "query", secure: since(27), modern: tls13},
	{Name: "pay/billing", Library: "Java 8", Verdict: ledger.Capable, perDay: 1400, insecure: until(19), version: tls10, ingress: call.Connect, secret: "basic", secure: since(19), modern: tls12, sidecar: true},
	{Name: "mobile-api", Library: "Go", Verdict: ledger.Capable, perDay: 6000, secure: always, modern: tls13},
	{Name: "alerts-service", Library: "Node.js", Verdict: ledger.Capable, perDay: 1500, secure: always, modern: tls12},
	{Name: "pay/refunds", Library: "Java", Verdict: ledger.Capable, perDay: 500, secure: always, modern: tls13, sidecar: true},
	{Name: "crm-sync", Library: "PHP", Verdict: ledger.Plaintext, perDay: 420, insecure: until(6.5), secret: "query", declared: 6},

	// Declared migrated, and back.
	{Name: "newsletter", Library: "PHP", Verdict: ledger.Plaintext, perDay: 1300, insecure: []span{{Days, 16}, {4, -1}}, secret: "query", secure: since(17), modern: tls12, declared: 15.5},

	// Migrated, and down since an update took the CA from it and TLS 1.2 too.
	{Name: "ticketing", Library: "Python 2", Verdict: ledger.DistrustsCA, perDay: 800, insecure: until(14.5), version: tls10, ingress: call.Connect, secret: "basic", secure: []span{{15, 2}}, modern: tls12, rejects: since(2)},

	// Not heard of.
	{Name: "fax-gateway", Library: "Synapse", Verdict: ledger.Plaintext, perDay: 60, insecure: until(20), secret: "query"},
	{Name: "old-scanner", Library: "OpenSSL 0.9.8", Verdict: ledger.SSLv2Framed, perDay: 25, insecure: []span{{30, 23}}, rejects: []span{{Days, 30}}, version: tls10, ingress: call.Connect, secret: "basic"},
	{Name: "invoice-run", Library: "Axis 1", Verdict: ledger.Plaintext, perDay: 2400, insecure: []span{{28.5, 28.4}}, secret: "soap"},
	{Name: "ops/nightly", Library: "curl", Verdict: ledger.Plaintext, perDay: 2000, insecure: nights(22, 0), secret: "query", sidecar: true},
	{Name: "archive-job"},

	// Found by their address.
	{Name: "10.4.7.19", Library: "curl", Source: "address", Verdict: ledger.Plaintext, perDay: 150, insecure: since(0.6), secret: "query"},
	{Name: "10.4.2.8", Library: "OpenSSL 0.9.8", Source: "address", Verdict: ledger.DistrustsCA, perDay: 24, version: tls10, ingress: call.Connect, rejects: since(5)},
	{Name: "10.4.0.3", Source: "address", Verdict: ledger.Capable, perDay: 48, modern: tls13, knocks: always}, // a health check
}

// Failures of the way to SMSPortal: an hour without connections, and some
// minutes of answers that never came.
var (
	outage   = span{11.5, 11.5 - 1.0/24}
	timeouts = span{0.125, 0.115}
)

// refusedReload is since when gateway b runs on its former configuration.
const refusedReload = 0.1

func in(spans []span, ago float64) bool {
	for _, s := range spans {
		if s.has(ago) {
			return true
		}
	}
	return false
}
