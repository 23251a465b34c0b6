package redirect

import (
	"errors"
	"reflect"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// written are rules as the kernel would give them back.
func written(r Rules) []*nftables.Rule {
	var rules []*nftables.Rule
	for _, exprs := range r.expressions() {
		rules = append(rules, &nftables.Rule{Exprs: exprs})
	}
	return rules
}

func TestParseReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	for _, want := range []Rules{
		usual(),
		{To: 1, Ports: []uint16{8080}, ExceptUIDs: []uint32{0, 1, 4294967295}, IPv4Only: true},
		{To: 65535, Ports: []uint16{1, 65535}, ExceptUIDs: []uint32{47128}},
	} {
		got, err := parse(written(want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
}

func TestParseRefusesOthersRules(t *testing.T) {
	t.Parallel()
	tests := map[string]func([]*nftables.Rule) []*nftables.Rule{
		"none":        func([]*nftables.Rule) []*nftables.Rule { return nil },
		"one missing": func(r []*nftables.Rule) []*nftables.Rule { return r[1:] },
		"one twice":   func(r []*nftables.Rule) []*nftables.Rule { return append(r, r[0]) },
		"other order": func(r []*nftables.Rule) []*nftables.Rule { r[0], r[1] = r[1], r[0]; return r },
		"other kind": func(r []*nftables.Rule) []*nftables.Rule {
			r[0].Exprs[2] = &expr.Verdict{Kind: expr.VerdictDrop}
			return r
		},
		"empty rule":   func(r []*nftables.Rule) []*nftables.Rule { r[0].Exprs = nil; return r },
		"half a rule":  func(r []*nftables.Rule) []*nftables.Rule { r[3].Exprs = r[3].Exprs[:4]; return r },
		"short number": func(r []*nftables.Rule) []*nftables.Rule { r[0].Exprs[1].(*expr.Cmp).Data = []byte{1}; return r },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := parse(change(written(usual()))); !errors.Is(err, ErrForeign) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
