//go:build unix

package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// isJournal reports whether out is systemd's journal. systemd gives the device
// and inode of the stream that it connected in $JOURNAL_STREAM; see
// systemd.exec(5).
func isJournal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && fmt.Sprintf("%d:%d", st.Dev, st.Ino) == os.Getenv("JOURNAL_STREAM")
}
