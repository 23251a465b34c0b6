package configs

import "strings"

// origin is where a value was given.
type origin struct {
	file string // as in Problem.File
	line int
	name string // of the variable or flag; "" = the key's own path

	refused bool // the value was wrong: the default, or nothing, stands in for it
}

// origins maps the path of a key, such as limits.header_bytes, to where it was
// given. Keys that were not given are missing.
type origins map[string]origin

// Problem returns a problem with the key at path, such as upstreams[1].host,
// placed where the key, or the nearest one above it, was given. It is for
// findings that need more than the configuration itself: the content of a file,
// a certificate's constraints, an answer from the network.
func (c *Config) Problem(path, message, fix string) Problem {
	return c.origins.problem(path, message, fix)
}

func (o origins) problem(path, message, fix string) Problem {
	p := Problem{Key: path, Message: message, Fix: fix}
	for above := path; above != ""; above = parentOf(above) {
		at, ok := o[above]
		if !ok {
			continue
		}
		p.File, p.Line = at.file, at.line
		if at.name != "" {
			p.Key = at.name
		}
		break
	}
	return p
}

// parentOf returns the path above path: a.b of a.b.c and of a.b[2].
func parentOf(path string) string {
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '.' || path[i] == '[' {
			return path[:i]
		}
	}
	return ""
}

// take removes all places at and below a path and returns them for put.
func (o origins) take(from string) origins {
	taken := make(origins)
	for at, place := range o {
		if rest, ok := strings.CutPrefix(at, from); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			taken[rest] = place
			delete(o, at)
		}
	}
	return taken
}

// put adds places that take returned, at another path.
func (o origins) put(to string, taken origins) {
	for rest, place := range taken {
		o[to+rest] = place
	}
}
