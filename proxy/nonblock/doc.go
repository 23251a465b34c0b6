// Package nonblock reads and writes TCP sockets without telling Go's scheduler.
//
// Before a system call, Go's runtime prepares for a call that blocks: if the
// process was idle, it wakes the thread that looks for such calls (sysmon). That
// thread then sleeps and looks several times before it stops again. In a proxy that
// serves a request only now and then, this costs more than the call itself. A
// socket of package net never blocks: it is in non-blocking mode, and the runtime's
// poller waits for it. The poller, deadlines and Close work as usual here.
//
// While such a call runs, the scheduler cannot use its processor for anything
// else, so a call moves at most 64 KiB. Do not use this package for files, pipes or
// terminals: they can block, and the process with them.
//
// The race detector does not see the memory that such a call reads or writes. With
// -race, -msan and -asan, and on systems other than Linux on amd64 and arm64,
// the calls are those of package syscall.
package nonblock
