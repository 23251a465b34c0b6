// Package call holds what is known about a call: the facts of its connection, who is
// calling, and its outcome. It also holds the closed sets that log lines, labels and
// the ledger share: ways in, versions, handlings, handshake failures and the sources
// of a name. The words for errors and deliveries are in package problem.
//
// The package is pure.
package call
