package report

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
)

// Owners says whom to ask about a client. It is a list of patterns with their
// owners, and the first match wins. A pattern is a client's name in which *
// matches any text.
type Owners []struct{ pattern, owner string }

// ParseOwners reads owners from YAML: a mapping from patterns to owners, in order.
func ParseOwners(in io.Reader) (Owners, error) {
	var doc yaml.Node
	if err := yaml.NewDecoder(in).Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, fmt.Errorf("not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: write a mapping of client patterns to owners", root.Line)
	}
	var owners Owners
	for i := 0; i+1 < len(root.Content); i += 2 {
		pattern, owner := root.Content[i], root.Content[i+1]
		if owner.Kind != yaml.ScalarNode || pattern.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: the owner is a name", owner.Line)
		}
		if _, err := path.Match(glob(pattern.Value), ""); err != nil {
			return nil, fmt.Errorf("line %d: pattern %q: %w", pattern.Line, pattern.Value, err)
		}
		owners = append(owners, struct{ pattern, owner string }{pattern.Value, owner.Value})
	}
	return owners, nil
}

// glob makes path.Match treat the slash of namespace/workload like any
// other character.
func glob(s string) string { return strings.ReplaceAll(s, "/", "\x00") }

func (o Owners) of(client string) string {
	for _, entry := range o {
		if fits, err := path.Match(glob(entry.pattern), glob(client)); err == nil && fits {
			return entry.owner
		}
	}
	return ""
}

// Assign fills in the owners of the report's clients, from the list or else from
// the namespace of a workload.
func (r *Report) Assign(o Owners) {
	for i := range r.Clients {
		c := &r.Clients[i]
		if c.Owner = o.of(c.Client); c.Owner == "" {
			c.Owner = namespaceOf(c)
		}
	}
}

// namespaceOf returns the namespace of a workload, or "" if the client is not one.
// The slash of an IPv6 network or an account name does not follow a namespace.
func namespaceOf(c *ledger.Row) string {
	namespace, _, found := strings.Cut(c.Client, "/")
	_, notNetwork := netip.ParsePrefix(c.Client)
	if !found || notNetwork == nil || c.Source == call.SourceAccount.String() {
		return ""
	}
	return namespace
}

// group holds the clients of one owner.
type group struct {
	Owner   string // "" = unknown
	Clients []ledger.Row
}

// groups returns the report's clients by owner, those without one last. If
// byOwner is false, it returns one group without a name.
func (r *Report) groups(byOwner bool) []group {
	if !byOwner {
		return []group{{Clients: r.Clients}}
	}
	clients := slices.Clone(r.Clients)
	slices.SortStableFunc(clients, func(a, b ledger.Row) int {
		if (a.Owner == "") != (b.Owner == "") {
			return map[bool]int{true: 1, false: -1}[a.Owner == ""]
		}
		return strings.Compare(a.Owner, b.Owner)
	})
	var out []group
	for _, c := range clients {
		if n := len(out); n == 0 || out[n-1].Owner != c.Owner {
			out = append(out, group{Owner: c.Owner})
		}
		out[len(out)-1].Clients = append(out[len(out)-1].Clients, c)
	}
	return out
}
