//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"

	"tlslift/configs"
)

// Without t.Parallel: the environment is the process's.
func TestJournalStream(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino+1))
	if isJournal(f) {
		t.Error("another stream is the journal")
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino))
	if isJournal(new(bytes.Buffer)) || !isJournal(f) {
		t.Fatal("the journal is not recognised")
	}
	l := newLogging(configs.Log{Level: zap.InfoLevel}, f)
	l.Warn("careful", zap.Int("n", 1))
	if _, err := l.sink.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(f.Name())
	if err != nil || !strings.HasPrefix(string(text), `<4>{"level":"warn"`) {
		t.Errorf("%q, %v", text, err)
	}
}
