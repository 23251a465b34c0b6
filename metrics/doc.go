// Package metrics counts what tlslift does, as Prometheus series: answers,
// upstreams, and the service itself. The client series come from package ledger,
// which is registered separately.
//
// New builds Metrics on an injected registerer. Names, types and labels
// are a contract (docs/metrics.md): dashboards, rules and the migration
// report depend on them.
//
// Three rules hold everywhere. First, every label value comes from a closed set
// or is bounded. A value outside the set is counted under a word that begins with
// an underscore, or not at all, so nothing a caller sends can create a series.
// Second, counting a request allocates nothing and takes well under a
// microsecond. Third, no value can make a method fail or panic: counting must
// never harm traffic.
package metrics
