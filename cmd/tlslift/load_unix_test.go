//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tlslift/configs"
)

// TestAPipeIsNoConfiguration: it is refused, and neither waited for nor read, from
// the start on or after a reload.
func TestAPipeIsNoConfiguration(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := writer.WriteString("bogus: 1\n"); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	for _, file := range []string{fifo, filepath.Join("/dev/fd", fmt.Sprint(reader.Fd()))} {
		for _, reload := range []bool{false, true} {
			_, err := load(configs.Source{File: file, Reload: reload}, nil)
			if err == nil || !strings.Contains(err.Error(), "not a regular file") || !strings.Contains(err.Error(), "--config") {
				t.Errorf("%s, reload %v: %v", file, reload, err)
			}
		}
	}
}

// TestAPipeIsChecked: what is read once may come from anywhere.
func TestAPipeIsChecked(t *testing.T) {
	t.Parallel()
	for text, right := range map[string]bool{"others: refuse\n": true, "bogus: 1\n": false, "": true} {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := writer.WriteString(text); err != nil {
			t.Fatal(err)
		}
		writer.Close()
		if _, err := load(configs.Source{File: filepath.Join("/dev/fd", fmt.Sprint(reader.Fd())), Once: true}, nil); (err == nil) != right {
			t.Errorf("%q: %v", text, err)
		}
		reader.Close()
	}
}
