package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pseudoTerminal opens a terminal of so many columns: what is written to tty is
// read from master (pty(7)).
func pseudoTerminal(t *testing.T, columns uint16) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	}
	if err != nil {
		t.Fatal(err)
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { tty.Close() })
	return master, tty
}

// At a terminal the report fits it; into a pipe or a file it is the same table
// whatever the terminal.
func TestTheReportFitsTheTerminalItIsWrittenTo(t *testing.T) {
	t.Parallel()
	state := stateFile(t)
	piped, _, _ := runReport("--state", state)
	if !strings.Contains(piped, "  WHAT TO CHANGE\n") {
		t.Errorf("into a pipe:\n%s", piped)
	}
	for columns, want := range map[uint16]string{80: "\n    Change its URL", 0: "\n    Change its URL", 250: "  WHAT TO CHANGE\n"} {
		master, tty := pseudoTerminal(t, columns)
		cmd := newReportCommand()
		cmd.SetArgs([]string{"--state", state})
		cmd.SetOut(tty)
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		tty.Close()
		text, _ := io.ReadAll(master) // ends with EIO, as nobody has the other end any more
		if got := strings.ReplaceAll(string(text), "\r\n", "\n"); !strings.Contains(got, want) {
			t.Errorf("%d columns:\n%s", columns, got)
		}
	}
}
