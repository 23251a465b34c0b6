package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// MemoryGroup is a memory cgroup for one process, version 2 or 1.
type MemoryGroup struct {
	dir   string
	names groupFiles
}

// groupFiles are the names of a version's files.
type groupFiles struct{ limit, peak, kills string }

// NewMemoryGroup makes a cgroup that may use limit bytes. It returns nil where
// none can be made: then only the process's own figures are held.
func NewMemoryGroup(t testing.TB, limit int64) *MemoryGroup {
	t.Helper()
	for _, root := range []struct {
		dir string
		groupFiles
	}{
		{"/sys/fs/cgroup", groupFiles{"memory.max", "memory.peak", "memory.events"}},
		{"/sys/fs/cgroup/memory", groupFiles{"memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"}},
	} {
		g := &MemoryGroup{dir: filepath.Join(root.dir, fmt.Sprintf("tlslift-test-%d-%d", os.Getpid(), time.Now().UnixNano())), names: root.groupFiles}
		if _, err := os.Stat(filepath.Join(root.dir, "cgroup.procs")); err != nil || os.Mkdir(g.dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { g.remove(t) })
		file, err := os.OpenFile(filepath.Join(g.dir, g.names.limit), os.O_WRONLY, 0)
		if err != nil {
			continue // the controller is not there
		}
		_, err = file.WriteString(strconv.FormatInt(limit, 10))
		if file.Close(); err == nil {
			return g
		}
	}
	t.Log("no memory cgroup can be made here")
	return nil
}

// remove waits for the process to be gone from the group.
func (g *MemoryGroup) remove(t testing.TB) {
	for deadline := time.Now().Add(Patience); ; time.Sleep(10 * time.Millisecond) {
		err := os.Remove(g.dir)
		if err == nil || !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			if err != nil {
				t.Logf("removing the cgroup: %v", err)
			}
			return
		}
	}
}

// Under is the command that runs another one in the group, see Options.
func (g *MemoryGroup) Under() []string {
	if g == nil {
		return nil
	}
	return []string{"sh", "-c", `echo $$ > "$0" && exec "$@"`, filepath.Join(g.dir, "cgroup.procs")}
}

// Peak is the most memory that the group has used, in bytes; 0 = not known.
func (g *MemoryGroup) Peak() int64 {
	if g == nil {
		return 0
	}
	text, _ := os.ReadFile(filepath.Join(g.dir, g.names.peak))
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}

// Kills is how many processes of the group were killed for want of memory.
func (g *MemoryGroup) Kills() int64 {
	if g == nil {
		return 0
	}
	text, _ := os.ReadFile(filepath.Join(g.dir, g.names.kills))
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "oom_kill "); found {
			n, _ := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			return n
		}
	}
	return 0
}

// Anonymous is the process's resident memory without files' pages, in bytes:
// what the system cannot take back.
func (p *Process) Anonymous() int64 {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "RssAnon:"); found {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}
