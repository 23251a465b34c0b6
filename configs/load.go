package configs

import (
	"path/filepath"
	"reflect"
)

// Source says where a configuration comes from. Flags override the environment,
// which overrides the file, which overrides the defaults.
type Source struct {
	File   string   // path; "" = the one in TLSLIFT_CONFIG, else no file
	Env    []string // as os.Environ returns it
	Flags  Flags
	Reload bool // an empty file is an error: it is being written, or its content was lost
	Once   bool // it is never read again, so it may be a pipe
}

// Flags are the flags that were given, by name without dashes, with their values.
// Flags that set no key are ignored.
type Flags map[string][]string

// Path returns the path of the configuration file, for watching it, or "" if
// there is none.
func (s Source) Path() string {
	if s.File != "" {
		return s.File
	}
	return variables(s.Env)["CONFIG"]
}

// Load reads, merges and validates a configuration. Its error is a Problems with
// everything that is wrong. Relative paths in the file are relative to the file's
// folder, and those in the environment to the working directory. Files that keys
// name have been opened, but their contents are not checked.
//
// The judges check what needs more than the configuration itself, such as the
// contents of those files. They are called even if there are other problems. A
// value that was rejected is then missing, or has its default.
func Load(s Source, judges ...func(*Config) Problems) (*Config, error) {
	l := newLoader(s.Path())
	return l.finish(s, l.readFile(s.Once), judges...)
}

// loader reads one configuration and collects what is wrong with it.
type loader struct {
	file     string                  // the configuration file's path, for messages
	dir      string                  // relative paths start here
	readable func(path string) error // tests use files that do not exist

	origins  origins
	problems Problems
}

func newLoader(file string) *loader {
	return &loader{file: file, dir: filepath.Dir(file), readable: readable, origins: make(origins)}
}

// finish loads the content of the file, or nil if there is none, applies
// overrides, and checks the result.
func (l *loader) finish(s Source, data []byte, judges ...func(*Config) Problems) (*Config, error) {
	c := Default()
	if root := l.parse(data); root != nil {
		l.section("", root, schema(), reflect.ValueOf(c).Elem())
	} else if len(l.problems) == 0 && data != nil && s.Reload {
		l.reportLine(0, "", "is empty", "write {} to use the defaults")
	}
	l.dir = "" // paths in variables are relative to the working directory
	vars := variables(s.Env)
	l.unknownVariables(vars)
	l.override(c, vars, s.Flags)
	l.check(c)
	c.origins = l.origins
	for _, judge := range judges {
		for _, p := range judge(c) {
			if l.untouched(p.path) {
				l.report(p)
			}
		}
	}
	if len(l.problems) > 0 {
		l.problems.sort()
		return nil, l.problems
	}
	return c, nil
}
