package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"tlslift/configs"
)

func TestLoggerWritesFieldsAndHonoursItsLevel(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := newLogging(configs.Log{Level: zap.WarnLevel}, &out)
	l.With(zap.String("file", "a")).Warn("one", zap.Int("n", 1))
	l.Info("two")
	l.level.SetLevel(zap.InfoLevel)
	l.Info("three")
	if _, err := l.sink.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], `"msg":"one","file":"a","n":1}`) || !strings.HasSuffix(lines[1], `"msg":"three"}`) {
		t.Errorf("%q", lines)
	}
}

func TestLostLineIsALineOfTheLog(t *testing.T) {
	t.Parallel()
	for console, want := range map[bool]string{
		false: `"msg":"log lines lost","lines":7}`,
		true:  "WARN\tlog lines lost\t{\"lines\": 7}",
	} {
		var out bytes.Buffer
		l := newLogging(configs.Log{Level: zap.InfoLevel, Console: console}, &out)
		if _, err := l.sink.Close(); err != nil {
			t.Fatal(err)
		}
		if got := string(lostLine(l.Core().(*sinkCore).encoder)(7)); !strings.HasSuffix(got, want+"\n") {
			t.Errorf("console %t: %q", console, got)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestTroubleNamesTheNumberOfLines(t *testing.T) {
	t.Parallel()
	l := newLogging(configs.Log{Level: zap.InfoLevel}, fullDisk{})
	if got := l.trouble(); got != "" {
		t.Errorf("before a line: %q", got)
	}
	l.Info("one")
	if _, err := l.sink.Close(); err == nil {
		t.Error("a full disk is no error")
	}
	if got := l.trouble(); !strings.Contains(got, ": 1 line is lost.") {
		t.Errorf("%q", got)
	}
}

type stuck struct{ reading chan struct{} }

func (s stuck) Write(p []byte) (int, error) {
	<-s.reading
	return len(p), nil
}

func TestTheLastLineWaitsForNobody(t *testing.T) {
	t.Parallel()
	out := stuck{make(chan struct{})}
	begin := time.Now()
	printLast(out, "tlslift: start: no")
	if waited := time.Since(begin); waited < lastWords {
		t.Errorf("it waited %v", waited)
	}
	close(out.reading)
}
