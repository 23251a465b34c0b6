package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// BinaryVariable names an already built binary to test instead of building
// one.
const BinaryVariable = "TLSLIFT_TEST_BINARY"

// built is the one binary of this test run.
type built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// binary is shared by all tests of a package: building is the slow part.
var binary built

// Main runs a package's tests and removes what was built for them. It is what
// a TestMain calls.
func Main(m *testing.M) int {
	code := m.Run()
	if binary.dir != "" {
		_ = os.RemoveAll(binary.dir)
	}
	return code
}

// Binary is the path of tlslift, built on first use.
func Binary(t testing.TB) string {
	t.Helper()
	binary.once.Do(func() { binary.path, binary.err = binary.build() })
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

func (b *built) build() (string, error) {
	if path := os.Getenv(BinaryVariable); path != "" {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return "", fmt.Errorf("finding %s: %w", path, err)
		}
		return absolute, nil
	}
	if err := lookAtSource(); err != nil {
		return "", fmt.Errorf("looking at tlslift's source: %w", err)
	}
	dir, err := os.MkdirTemp("", "tlslift-test-")
	if err != nil {
		return "", fmt.Errorf("making a place for the binary: %w", err)
	}
	b.dir = dir
	path := filepath.Join(dir, "tlslift")
	arguments := []string{"build", "-o", path}
	if RaceEnabled {
		arguments = append(arguments, "-race")
	}
	output, err := exec.Command("go", append(arguments, "tlslift/cmd/tlslift")...).CombinedOutput()
	if err != nil {
		return "", errors.Join(fmt.Errorf("building tlslift: %w", err), errors.New(string(output)))
	}
	return path, nil
}

// lookAtSource looks at every file that the binary is made of. The go command
// notes what a test looks at, and does not take an old result for a new one
// when any of it has changed; of the compiler that is run here it knows nothing.
func lookAtSource() error {
	_, here, _, _ := runtime.Caller(0)
	root := filepath.Dir(filepath.Dir(filepath.Dir(here)))
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		return nil // built with -trimpath: there is nothing to look at
	}
	for _, part := range []string{"go.mod", "go.sum", "cmd", "configs", "docs/fixes", "deploy/inject", "metrics", "proxy", "deploy/demo"} {
		err := filepath.WalkDir(filepath.Join(root, part), func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata") {
				return err
			}
			_, err = os.Stat(path)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
