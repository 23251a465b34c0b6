package inject_test

import (
	"bytes"
	"testing"

	"tlslift/deploy/inject"
)

// Whatever comes in: no panic; what was injected is injected already; and the
// way back gives the values that were there.
func FuzzInject(f *testing.F) {
	for _, file := range inputs(f) {
		f.Add(read(f, file), false)
		f.Add(read(f, file), true)
	}
	for _, small := range []string{
		"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: a\n    env: # x\n",
		"kind: Job\napiVersion: batch/v1\nspec: {template: {metadata: ~, spec: {containers: [{name: a}]}}}\n---\na: 1\n",
		"apiVersion: v1\nkind: List\nitems:\n- &p {apiVersion: v1, kind: Pod, spec: {}}\n- *p\n",
		"# c\napiVersion: v1\nkind: Pod\nx: {<<: {y: 1}, z: |\n  a\n}\nspec: {}\n# d\n",
	} {
		f.Add([]byte(small), false)
	}
	f.Add([]byte("{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"spec\": {}}"), true)
	f.Fuzz(func(t *testing.T, in []byte, transparent bool) {
		o := options()
		o.Transparent = transparent
		out, results, err := inject.Inject(in, o)
		if err != nil {
			return
		}
		again, _, err := inject.Inject(out, o)
		if err != nil {
			t.Fatalf("what came out does not go in: %v\n%s", err, out)
		}
		if !bytes.Equal(again, out) {
			t.Fatalf("twice is not once:\n%s\n----\n%s", out, again)
		}
		back, removed, err := inject.Uninject(out)
		if err != nil {
			t.Fatalf("no way back: %v\n%s", err, out)
		}
		for i, r := range results {
			if r.Action == inject.Injected && removed[i].Action != inject.Removed {
				t.Fatalf("%v was not removed", r)
			}
		}
		if len(results) == 0 && !bytes.Equal(in, out) {
			t.Fatalf("no workload, but changed: %q", out)
		}
		if bytes.Contains(in, []byte("tlslift/injected")) {
			return // there was something to take out before
		}
		if want, got := values(t, in), values(t, back); want != got {
			t.Fatalf("the way back gives\n%s\ninstead of\n%s", got, want)
		}
	})
}
