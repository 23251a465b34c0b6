package dashboards

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pods are what Kubernetes' discovery says of some pods: a native sidecar, a
// classic one, an application with metrics of its own, a Job that has ended,
// and a sidecar's other port.
const pods = `[
 {"targets": ["10.1.0.1:9129"], "labels": {"__meta_kubernetes_pod_container_name": "tlslift", "__meta_kubernetes_pod_container_init": "true",
  "__meta_kubernetes_pod_container_port_name": "tlslift-metrics", "__meta_kubernetes_pod_phase": "Running", "__meta_kubernetes_namespace": "pay", "__meta_kubernetes_pod_name": "native"}},
 {"targets": ["10.1.0.2:9129"], "labels": {"__meta_kubernetes_pod_container_name": "tlslift", "__meta_kubernetes_pod_container_init": "false",
  "__meta_kubernetes_pod_container_port_name": "metrics", "__meta_kubernetes_pod_phase": "Running", "__meta_kubernetes_namespace": "pay", "__meta_kubernetes_pod_name": "classic"}},
 {"targets": ["10.1.0.1:8080"], "labels": {"__meta_kubernetes_pod_container_name": "app", "__meta_kubernetes_pod_container_init": "false",
  "__meta_kubernetes_pod_container_port_name": "metrics", "__meta_kubernetes_pod_phase": "Running", "__meta_kubernetes_namespace": "pay", "__meta_kubernetes_pod_name": "native"}},
 {"targets": ["10.1.0.3:9129"], "labels": {"__meta_kubernetes_pod_container_name": "tlslift", "__meta_kubernetes_pod_container_init": "true",
  "__meta_kubernetes_pod_container_port_name": "tlslift-metrics", "__meta_kubernetes_pod_phase": "Succeeded", "__meta_kubernetes_namespace": "pay", "__meta_kubernetes_pod_name": "ended"}},
 {"targets": ["10.1.0.1:3128"], "labels": {"__meta_kubernetes_pod_container_name": "tlslift", "__meta_kubernetes_pod_container_init": "true",
  "__meta_kubernetes_pod_container_port_name": "proxy", "__meta_kubernetes_pod_phase": "Running", "__meta_kubernetes_namespace": "pay", "__meta_kubernetes_pod_name": "native"}}
]`

// TestTargets: the scrape configuration keeps every sidecar that runs, the
// native ones too, and nothing else.
func TestTargets(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/prometheus/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	// Debian's Prometheus is built without Kubernetes, and too old for two settings.
	config := regexp.MustCompile(`kubernetes_sd_configs:\n.*\n`).ReplaceAllString(string(text), "file_sd_configs: [{files: [pods.json]}]\n")
	config = regexp.MustCompile(`(?m)^.*(scrape_native|scrape_classic)_histograms:.*\n`).ReplaceAllString(config, "")
	config = regexp.MustCompile(`(?m)^  - (rules|alerts)\.yml\n`).ReplaceAllString(config, "")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pods.json"), []byte(pods), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startIn(t, dir, config)
	want := []string{"pay classic pay/classic", "pay native pay/native"}
	eventually(t, strings.Join(want, ", "), func() bool {
		var targets struct {
			ActiveTargets []struct{ Labels map[string]string }
		}
		if err := s.Get(t.Context(), "/api/v1/targets?state=active", &targets); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, target := range targets.ActiveTargets {
			if l := target.Labels; l["job"] == "tlslift-pods" {
				got = append(got, l["namespace"]+" "+l["pod"]+" "+l["instance"])
			}
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	})
}
