// Package handover passes what a process has to the process that takes its
// place in an upgrade: its listening sockets, its secrets, and the outcomes of
// the calls that it still finishes.
//
// The two speak JSON over a pair of Unix sockets that the new process inherits
// as descriptor 3; the listening sockets follow from 4 on. The environment
// carries only the fact that there is such a descriptor, and no file is written.
//
//	old -> new  the State
//	new -> old  ready    it could start, and has accepted no connection
//	old -> new  go       the old one's ledger is written and given up
//	new -> old  serving  it accepts
//	old -> new  outcomes of what it still finishes
//	old -> new  done     there are no further ones: without it, some may be missing;
//	                     and how many lines of the log were lost
//	new -> old  ending   it is about to end, and waits for done
//
// Until it hears go the new process ends when the old one does. Until the old
// one hears serving it can continue as if nothing had happened.
package handover
