package proxy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// TestOnlyFinishCounts: log line, metrics and ledger are sinks of one outcome,
// and finish alone hands it to them. A second place that counts is a second
// place that can be wrong.
func TestOnlyFinishCounts(t *testing.T) {
	t.Parallel()
	sinks := map[string]bool{"Record": true, "Count": true, "writeLine": true}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	calls := make(map[string]int)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok && sinks[sel.Sel.Name] {
					calls[f.Name()+" "+fn.Name.Name]++
				}
				return true
			})
		}
	}
	if len(calls) != 2 || calls["finish.go finish"] != 2 || calls["finish.go Count"] != 2 {
		t.Errorf("outcomes are handed over in %v, want the line and Count in finish alone, and the other two sinks in Count", calls)
	}
}
