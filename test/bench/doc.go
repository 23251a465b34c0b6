//go:build linux

// Command bench measures tlslift beside HAProxy, nginx and Squid on one
// machine and prints the table that docs/benchmarks.md keeps. It is started by
// run.sh, which installs the peers.
//
// Every comparison is paired: the contestants take short turns, round after
// round, so that a slow minute of the machine meets all of them. What counts
// are the ratios within one run.
//
// The contestants run one thread on core 0; the upstream, the callers and this
// program run on core 1. All traffic stays on loopback and is bounded in time;
// only processes that were started here are ended here; files live in one
// temporary directory.
package main
