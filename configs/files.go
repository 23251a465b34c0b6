package configs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// anyPath is a path, relative to the configuration file's folder unless
// absolute.
func (l *loader) anyPath(example string) kind[string] {
	k := text("a path", example, 4096)
	check := k.parse
	k.parse = func(text string) (string, *fault) {
		path, f := check(text)
		if f == nil && !filepath.IsAbs(path) {
			path = filepath.Join(l.dir, path)
		}
		return path, f
	}
	return k
}

// inputFile is the path of a file that is there and can be read. What is in it
// is for the room that uses it to judge.
func (l *loader) inputFile(example string) kind[string] {
	k := l.anyPath(example)
	resolve := k.parse
	k.parse = func(text string) (string, *fault) {
		path, f := resolve(text)
		if f != nil {
			return "", f
		}
		if err := l.readable(path); err != nil {
			return "", faultf("name a file that tlslift can read", "%q cannot be read: %s", path, plainError(err))
		}
		return path, nil
	}
	return k
}

var errNotRegular = errors.New("it is not a regular file")

// readable reports why a regular file cannot be read. Others are not opened:
// that can block.
func readable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errNotRegular
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// plainError is an error without the operation and path that the os package
// adds.
func plainError(err error) string {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err.Error()
	}
	return err.Error()
}
