package main

import (
	"fmt"
	"io"
	"os"

	"tlslift/proxy/authority"
)

// named is a file that a flag names.
type named struct{ flag, file string }

// spareFiles refuses to write over what cannot be made again: a file that another
// flag names, a private key, and what kept names of the content that is there; it
// returns "" for what may be replaced.
func spareFiles(flag, out string, kept func(there []byte) string, others ...named) error {
	info, err := os.Stat(out)
	if err != nil || !info.Mode().IsRegular() {
		return nil // nothing is there that could be lost, or writing says why not
	}
	for _, other := range others {
		if source, err := os.Stat(other.file); err == nil && os.SameFile(info, source) {
			return fmt.Errorf("--%s %s: it is the file of --%s, which would be overwritten; name another file", flag, out, other.flag)
		}
	}
	there, err := head(out)
	if err != nil {
		return fmt.Errorf("--%s: cannot see what would be overwritten: %w", flag, err)
	}
	if authority.HoldsKey(there) {
		return fmt.Errorf("--%s %s: it holds a private key, which would be overwritten; name another file", flag, out)
	}
	if what := kept(there); what != "" {
		return fmt.Errorf("--%s %s: it holds %s, which would be overwritten; name another file, or remove this one first", flag, out, what)
	}
	return nil
}

// head reads the beginning of a file: enough of it to see what it is.
func head(file string) ([]byte, error) {
	const enough = 16 << 20
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, enough))
}
