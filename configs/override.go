package configs

import (
	"slices"
	"strconv"
	"strings"

	"tlslift/proxy/host"
)

// merge puts a value of the environment or the command line in a key's place.
func merge[T any](l *loader, path string, from origin, k kind[T], text string, into *T) {
	l.origins[path] = from
	v, f := k.parse(text)
	if f != nil {
		l.reject(path, k.complete(f))
		return
	}
	*into = v
}

// override says how the environment or the command line replaces a list of
// entries, each by the one value that tells them apart.
type override[T, V any] struct {
	list, key string // the paths: listen, address
	kind      kind[V]
	fresh     func() T
	field     func(*T) *V
	same      func(a, b V) bool
}

var listens = override[Listen, string]{
	"listen", "address", listenAddress, defaultListen,
	func(l *Listen) *string { return &l.Address },
	func(a, b string) bool {
		hostA, portA := endpoint(a)
		hostB, portB := endpoint(b)
		return hostA == hostB && portA == portB
	},
}

var upstreams = override[Upstream, host.Pattern]{
	"upstreams", "host", hostPattern, defaultUpstream,
	func(u *Upstream) *host.Pattern { return &u.Host },
	func(a, b host.Pattern) bool { return a == b },
}

// replace makes the entries those that texts name. One that is in the list
// already keeps its other settings, so that naming it again cannot drop an
// access list or a pin.
func (o override[T, V]) replace(l *loader, into *[]T, from origin, texts []string) {
	old, places := *into, o.places(l, len(*into))
	l.origins[o.list] = from
	*into = nil
	for _, text := range texts {
		v, f := o.kind.parse(strings.TrimSpace(text))
		if f != nil {
			f = o.kind.complete(f)
			l.report(Problem{from.file, 0, from.name, f.message, f.fix})
			continue
		}
		at, entry := o.path(len(*into)), o.fresh()
		if i := slices.IndexFunc(old, func(t T) bool { return o.same(*o.field(&t), v) }); i >= 0 {
			entry = old[i]
			l.origins.put(at, places[i])
		}
		*o.field(&entry) = v
		l.origins[at+"."+o.key] = from
		*into = append(*into, entry)
	}
}

// places removes the places of the list's entries and returns them by the
// entry's number.
func (o override[T, V]) places(l *loader, entries int) []origins {
	found := make([]origins, entries)
	for rest, place := range l.origins.take(o.list) {
		number, below, _ := strings.Cut(strings.TrimPrefix(rest, "["), "]")
		i, err := strconv.Atoi(number)
		if err != nil || i >= entries {
			continue // the list itself, or an entry of a refused list
		}
		if found[i] == nil {
			found[i] = make(origins)
		}
		found[i][below] = place
	}
	return found
}

func (o override[T, V]) path(i int) string { return entryOf(o.list, i) }
