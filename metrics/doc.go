// Package metrics counts what tlslift does, as Prometheus series: answers,
// upstreams, and the service itself. The client series come from package
// ledger, which is registered beside it.
//
// New builds Metrics on an injected registerer. Names, types and labels are a
// contract (docs/metrics.md): dashboards, rules and the migration report are
// built on them.
//
// Three rules hold everywhere. Every label value comes from a closed set or is
// bounded: what is not in the set is counted under a word that begins with an
// underscore, or not at all, and nothing a caller sends can make a series.
// Counting a request allocates nothing and costs well under a microsecond. And
// no value can make a method fail or panic: counting must never harm traffic.
package metrics
