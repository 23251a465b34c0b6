// Package proxy joins the rooms below it into the proxy: it opens the
// listeners, runs one request through goproxy's filters, decides what becomes
// of a tunnel, and writes the one canonical log line of each.
//
// It alone knows goproxy. Everything it needs (configuration, logger, metrics,
// ledger) is handed to New; it keeps no package-level state.
package proxy
