// Package call holds what is known of a call: the facts of its connection, who
// is calling, and its outcome. It also holds the closed sets that log lines,
// labels and the ledger share: ways in, versions, handlings, handshake failures
// and the sources of a name. The words of an error and of a delivery
// are package problem's.
//
// The package is pure.
package call
