package configs

import (
	"path/filepath"
	"reflect"
)

// Source says where a configuration comes from. Flags override the
// environment, which overrides the file, which overrides the defaults.
type Source struct {
	File   string   // path; "" = what TLSLIFT_CONFIG names, else no file
	Env    []string // as os.Environ returns it
	Flags  Flags
	Reload bool // an empty file is an error: it is being written, or was lost
	Once   bool // it is never read again, so it may be a pipe
}

// Flags are the flags that were given, by name without dashes, each with its
// values. Those that set no key are ignored.
type Flags map[string][]string

// Path returns the path of the configuration file, for watching it; "" = none.
func (s Source) Path() string {
	if s.File != "" {
		return s.File
	}
	return variables(s.Env)["CONFIG"]
}

// Load reads, merges and validates a configuration. Its error is a Problems,
// with everything that is wrong at once. Relative paths in the file start at
// the file's folder, those in the environment at the working directory; files
// that keys name have been opened, not judged.
//
// The judges see what needs more than the configuration itself, such as the
// content of those files. They are called whatever else is wrong: a value that
// was refused is missing, or its default.
func Load(s Source, judges ...func(*Config) Problems) (*Config, error) {
	l := newLoader(s.Path())
	return l.finish(s, l.readFile(s.Once), judges...)
}

// loader reads one configuration and gathers what is wrong with it.
type loader struct {
	file     string                  // the configuration file's path, for messages
	dir      string                  // relative paths start here
	readable func(path string) error // tests have files that are not there

	origins  origins
	problems Problems
}

func newLoader(file string) *loader {
	return &loader{file: file, dir: filepath.Dir(file), readable: readable, origins: make(origins)}
}

// finish loads the content of the file, nil if there is none, and all that
// overrides it, and checks the whole.
func (l *loader) finish(s Source, data []byte, judges ...func(*Config) Problems) (*Config, error) {
	c := Default()
	if root := l.parse(data); root != nil {
		l.section("", root, schema(), reflect.ValueOf(c).Elem())
	} else if len(l.problems) == 0 && data != nil && s.Reload {
		l.reportLine(0, "", "is empty", "write {} if the defaults are meant")
	}
	l.dir = "" // variables have paths relative to the working directory
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
