// Package metrics counts what tlslift sees and does, as Prometheus series.
//
// Metrics is built by New on an injected registerer and handed to whoever
// counts. Names, types and labels are a contract (docs/metrics.md): dashboards,
// rules and the migration report are built on them.
//
// Three rules hold everywhere. Every label value comes from a closed set or is
// bounded: what is not in the set is counted under a word that begins with an
// underscore, or not at all, and nothing a caller sends can make a series.
// Handles are kept, so that counting a request allocates nothing and costs
// well under a microsecond. And nothing here can fail or panic on what it is
// told: counting must never harm the traffic.
package metrics
