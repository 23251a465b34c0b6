package harness

import (
	"context"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Line is one JSON line of the log.
type Line map[string]any

// String is a field as text; a missing one is "".
func (l Line) String(key string) string {
	if l[key] == nil {
		return ""
	}
	return fmt.Sprint(l[key])
}

// Match asks for fields with these values; numbers and booleans are compared
// as they are written.
type Match map[string]any

func (m Match) fits(line Line) bool {
	for key, want := range m {
		got, present := line[key]
		if !present || fmt.Sprint(got) != fmt.Sprint(want) {
			return false
		}
	}
	return true
}

// Mark is a place in the log.
type Mark int

// Mark is the place after what was logged so far.
func (p *Process) Mark() Mark {
	p.logs.mu.Lock()
	defer p.logs.mu.Unlock()
	return Mark(len(p.logs.lines))
}

// Lines are the lines after the mark that match.
func (p *Process) Lines(after Mark, match Match) []Line {
	p.logs.mu.Lock()
	defer p.logs.mu.Unlock()
	return p.logs.matching(int(after), match)
}

func (l *log) matching(after int, match Match) []Line {
	var found []Line
	for _, line := range l.lines[after:] {
		if match.fits(line) {
			found = append(found, line)
		}
	}
	return found
}

// WaitLog waits for a matching line, from the start of the log on.
func (p *Process) WaitLog(match Match) Line {
	p.t.Helper()
	return p.waitNth(match, 1)
}

// WaitLogAfter waits for a matching line after the mark.
func (p *Process) WaitLogAfter(after Mark, match Match) Line {
	p.t.Helper()
	return p.wait(after, match, 1)[0]
}

// WaitLogs waits for n matching lines after the mark.
func (p *Process) WaitLogs(after Mark, match Match, n int) []Line {
	p.t.Helper()
	return p.wait(after, match, n)
}

func (p *Process) waitNth(match Match, n int) Line {
	p.t.Helper()
	return p.wait(0, match, n)[n-1]
}

func (p *Process) wait(after Mark, match Match, n int) []Line {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	l := p.logs
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.changed.Broadcast()
	})
	defer stop()
	l.mu.Lock()
	found := l.matching(int(after), match)
	for len(found) < n && ctx.Err() == nil && !l.ended {
		l.changed.Wait()
		found = l.matching(int(after), match)
	}
	l.mu.Unlock()
	if len(found) < n {
		p.t.Fatalf("%d of %d log lines match %v\n%s", len(found), n, match, l.tail())
	}
	return found
}

// Output is everything the process wrote so far.
func (p *Process) Output() string {
	p.logs.mu.Lock()
	defer p.logs.mu.Unlock()
	return strings.Join(p.logs.raw, "\n")
}

func (p *Process) parsedConfig() tree {
	p.t.Helper()
	text, err := os.ReadFile(p.Config)
	if err != nil {
		p.t.Fatal(err)
	}
	var config tree
	if err := yaml.Unmarshal(text, &config); err != nil {
		p.t.Fatal(err)
	}
	return config
}
