// Package call holds what is known of a call: the facts of its connection, who
// is calling, and its outcome. It also holds the closed sets that log lines,
// labels and the ledger share: ways in, versions, handlings, handshake failures
// and the rungs of the identity ladder. The words of an error and of a delivery
// are package problem's.
//
// The package is pure.
package call
