// Package interop drives real clients, old and new, through the built binary.
//
// install.sh installs them. A client that is missing is skipped, counted and
// named at the end; with TLSLIFT_INTEROP=require it is a failure.
package interop

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"testing"

	"tlslift/test/harness"
)

// requireVariable set to "require" makes a missing client a failure.
const requireVariable = "TLSLIFT_INTEROP"

func TestMain(m *testing.M) {
	code := harness.Main(m)
	absent.report()
	os.Exit(code)
}

// absentees are the tools that were looked for in vain.
type absentees struct {
	mu    sync.Mutex
	tools map[string]int // by tool: how many tests were skipped for it
}

var absent absentees

func (a *absentees) add(tool string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tools == nil {
		a.tools = map[string]int{}
	}
	a.tools[tool]++
}

func (a *absentees) report() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.tools) == 0 {
		return
	}
	var names []string
	skipped := 0
	for tool, n := range a.tools {
		names = append(names, tool)
		skipped += n
	}
	sort.Strings(names)
	fmt.Printf("interop: %d tests skipped for want of %s; run test/interop/install.sh\n", skipped, strings.Join(names, ", "))
}
