// Command generate writes the Grafana dashboards, from deploy/grafana/generate:
//
//	go run . ../dashboards
//
// The dashboards are built with Grafana's own types, so a misspelt option does
// not compile. They read the recording rules of deploy/prometheus.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "usage: generate DIR")
		return 2
	}
	files, err := render()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(args[0], name), text, 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "write a dashboard:", err)
			return 1
		}
	}
	return 0
}

// render returns the dashboards by file name.
func render() (map[string][]byte, error) {
	files := make(map[string][]byte)
	for name, builder := range map[string]*dashboard.DashboardBuilder{
		"migration.json": migration(),
		"service.json":   service(),
	} {
		built, err := builder.Build()
		if err != nil {
			return nil, fmt.Errorf("build %s: %w", name, err)
		}
		text, err := json.MarshalIndent(built, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		files[name] = append(text, '\n')
	}
	return files, nil
}
