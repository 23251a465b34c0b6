package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	dir, err := os.MkdirTemp("", "tlslift-test-")
	if err != nil {
		return "", fmt.Errorf("making a place for the binary: %w", err)
	}
	b.dir = dir
	path := filepath.Join(dir, "tlslift")
	arguments := []string{"build", "-o", path}
	if raceEnabled {
		arguments = append(arguments, "-race")
	}
	output, err := exec.Command("go", append(arguments, "tlslift/cmd/tlslift")...).CombinedOutput()
	if err != nil {
		return "", errors.Join(fmt.Errorf("building tlslift: %w", err), errors.New(string(output)))
	}
	return path, nil
}
