// Package handover passes what a process has to its successor in an upgrade: its
// listening sockets, its secrets, and the outcomes of the calls that it still
// finishes.
//
// The two exchange JSON over a Unix socket pair. The new process inherits its end
// as descriptor 3, and the listening sockets from descriptor 4 on. An environment
// variable says that descriptor 3 is there; no file is written.
//
//	old -> new  the State
//	new -> old  ready    it has started, and has accepted no connection
//	old -> new  go       the ledger is written and released
//	new -> old  serving  it accepts connections
//	old -> new  outcomes of the calls that it still finishes
//	old -> new  done     no more outcomes follow; without it, some may be missing;
//	                     it says how many log lines were lost
//	new -> old  ending   it is about to end, and waits for done
//
// Until the new process receives go, it ends if the old one ends. Until the old
// process receives serving, it can continue as if nothing had happened.
package handover
