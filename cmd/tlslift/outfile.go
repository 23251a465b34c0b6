package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"tlslift/configs"
	"tlslift/metrics/ledger"
	"tlslift/proxy/authority"
)

// standardOutput means standard output if a flag names a file to write.
const standardOutput = "-"

// named is a file that a flag names.
type named struct{ flag, file string }

// spareFiles refuses to overwrite what cannot be made again: a file that another
// flag names, a private key, a ledger or a configuration. of lists those flags;
// it ignores one that names no file.
func spareFiles(flag, out string, of ...named) error {
	info, err := os.Stat(out)
	if err != nil {
		return nil // nothing is there, or writing will report the error
	}
	for _, other := range of {
		if source, err := os.Stat(other.file); err == nil && os.SameFile(info, source) {
			return fmt.Errorf("--%s %s: it is the file of --%s, which would be overwritten; name another file", flag, out, other.flag)
		}
	}
	there, what := contentOf(out), ""
	_, notRead := ledger.ReadFile(out, time.Now(), 0)
	switch {
	case len(there) == 0:
		return nil
	case authority.HoldsKey(there):
		what = "it holds a private key"
	case configs.Recognized(there):
		what = "it is a configuration of tlslift"
	case !errors.Is(notRead, ledger.ErrNotLedger):
		what = "it is a ledger of tlslift"
	default:
		return nil
	}
	return fmt.Errorf("--%s %s: %s, which would be overwritten; name another file", flag, out, what)
}

// contentOf returns the contents of a file that would be overwritten, as far as
// they can be read. It returns nothing for a pipe, a terminal and the like, where
// nothing is lost.
func contentOf(file string) []byte {
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	data, _ := readFile(file)
	return data
}
