package configs

import "path/filepath"

// Source says where a configuration comes from. Flags override the
// environment, which overrides the file, which overrides the defaults.
type Source struct {
	File   string   // path; "" = what TLSLIFT_CONFIG names, else no file
	Env    []string // as os.Environ returns it
	Flags  Flags
	Reload bool // an empty file is an error: it is being written, or was lost
}

// Flags are the settings of the command line. Nil and empty ones are not set.
type Flags struct {
	Listen              []string // --listen: replaces the addresses
	Admin               *string  // --admin; "" = off
	Upstreams           []string // --upstream: replaces the list
	LogLevel, LogFormat *string  // --log-level, --log-format
}

// Path returns the path of the configuration file, for watching it; "" = none.
func (s Source) Path() string {
	if s.File != "" {
		return s.File
	}
	return variables(s.Env)[envPrefix+"CONFIG"]
}

// Load reads, merges and validates a configuration. Its error is a Problems,
// with everything that is wrong at once. Relative paths in the file start at
// the file's folder, those in the environment at the working directory; files
// that keys name have been opened, not judged.
func Load(s Source) (*Config, error) {
	l := newLoader(s.Path(), readable)
	if l.file == "" {
		return l.finish(s, nil)
	}
	data, ok := l.readFile()
	if !ok {
		return l.finish(s, nil)
	}
	return l.finish(s, &data)
}

func newLoader(file string, readable func(string) error) *loader {
	return &loader{
		file:     file,
		dir:      filepath.Dir(file),
		readable: readable,
		origins:  make(origins),
	}
}

// finish loads the content of the file, if there is one, and all that overrides
// it, and checks the whole.
func (l *loader) finish(s Source, data *[]byte) (*Config, error) {
	c := Default()
	l.top = l.schema(c)
	if data != nil {
		l.applyFile(*data, s.Reload)
	}
	l.applyEnvironment(c, s.Env)
	l.applyFlags(c, s.Flags)
	l.check(c)
	if len(l.problems) > 0 {
		l.problems.sort()
		return nil, l.problems
	}
	c.origins = l.origins
	return c, nil
}

// applyFile reads the file's content into the configuration that the schema is
// bound to.
func (l *loader) applyFile(data []byte, reload bool) {
	root, ok := l.parse(data)
	switch {
	case !ok:
	case root != nil:
		l.section("", root, l.top)
	case reload:
		l.report(Problem{l.file, 0, "", "is empty", "write {} if the defaults are meant"})
	}
}
