package inject

import (
	"bytes"
	"fmt"
	"strconv"
	"text/template"

	"go.yaml.in/yaml/v4"
)

// The names of what is added to a pod.
const (
	ContainerName = "tlslift"          // the sidecar
	RedirectName  = "tlslift-redirect" // the init container of transparent mode
	PortName      = "tlslift-metrics"  // probes and metrics; 15 characters, the maximum for a port name

	configVolume = "tlslift-config"
	caVolume     = "tlslift-ca"
)

// added is the template of what a pod gets, except labels and annotations. Both
// containers meet the Pod Security profile "restricted" as far as they can:
// changing the pod's netfilter rules takes root and one capability. The init
// container that changes them is the first one. From then on every connection
// goes to the sidecar, which is ready before anything else starts.
const added = `
{{define "resources"}}{requests: {cpu: {{quote .CPURequest}}, memory: {{quote .MemoryRequest}}}, limits: {memory: {{quote .MemoryLimit}}}}{{end}}
initContainers:
{{- if .Transparent}}
- name: ` + RedirectName + `
  image: {{quote .Image}}
  args: [redirect, apply, --to, "{{.Port}}", --except-uid, "{{.UID}}"{{if .IPv4Only}}, --ipv4-only{{end}}]
  resources: {{template "resources" .}}
  securityContext:
    runAsUser: 0
    runAsGroup: 0
    runAsNonRoot: false
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL], add: [NET_ADMIN]}
    seccompProfile: {type: RuntimeDefault}
{{- end}}
- name: ` + ContainerName + `
  image: {{quote .Image}}
  restartPolicy: Always
  env:
  - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
  - {name: POD_WORKLOAD, valueFrom: {fieldRef: {fieldPath: "metadata.labels['` + LabelWorkload + `']"}}}
  # Whole MiB of the limit with six zeros behind: 95 % of it in bytes.
  - {name: MEMORY_LIMIT_MIB, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
  - {name: GOMEMLIMIT, value: $(MEMORY_LIMIT_MIB)000000}
  - {name: TLSLIFT_CONFIG, value: /etc/tlslift/tlslift.yaml}
  - {name: TLSLIFT_WORKLOAD, value: $(POD_NAMESPACE)/$(POD_WORKLOAD)}
  - {name: TLSLIFT_ADMIN_PUBLIC, value: ":{{.AdminPort}}"}
{{- if ne .StatusPort .DefaultStatusPort}}
  - {name: TLSLIFT_ADMIN, value: "127.0.0.1:{{.StatusPort}}"}
{{- end}}
{{- if .CASecret}}
  - {name: TLSLIFT_CA_CERT, value: /etc/tlslift-ca/tls.crt}
  - {name: TLSLIFT_CA_KEY, value: /etc/tlslift-ca/tls.key}
{{- end}}
  ports: [{name: ` + PortName + `, containerPort: {{.AdminPort}}}]
  startupProbe: {httpGet: {path: /readyz, port: ` + PortName + `}, periodSeconds: 1, failureThreshold: 60}
  readinessProbe: {httpGet: {path: /readyz, port: ` + PortName + `}, periodSeconds: 5}
  livenessProbe: {httpGet: {path: /healthz, port: ` + PortName + `}, periodSeconds: 10}
  resources: {{template "resources" .}}
  securityContext:
    runAsUser: {{.UID}}
    runAsGroup: {{.UID}}
    runAsNonRoot: true
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL]}
    seccompProfile: {type: RuntimeDefault}
  volumeMounts:
  - {name: ` + configVolume + `, mountPath: /etc/tlslift, readOnly: true}
{{- if .CASecret}}
  - {name: ` + caVolume + `, mountPath: /etc/tlslift-ca, readOnly: true}
{{- end}}
volumes:
- name: ` + configVolume + `
{{- if .ConfigMap}}
  configMap: {name: {{quote .ConfigMap}}}
{{- else}}
  downwardAPI: {items: [{path: tlslift.yaml, fieldRef: {fieldPath: "metadata.annotations['` + AnnotationConfig + `']"}}]}
{{- end}}
{{- if .CASecret}}
- name: ` + caVolume + `
  secret: {secretName: {{quote .CASecret}}}
{{- end}}
`

// added returns the initContainers and volumes to add.
func (o Options) added() (*yaml.Node, error) {
	t := template.Must(template.New("").Funcs(template.FuncMap{"quote": strconv.Quote}).Parse(added))
	var text bytes.Buffer
	err := t.Execute(&text, struct {
		Options
		UID, DefaultStatusPort int
	}{o, UID, DefaultStatusPort})
	root := new(yaml.Node)
	if err == nil {
		err = yaml.Unmarshal(text.Bytes(), root)
	}
	if err != nil {
		return nil, fmt.Errorf("encode what is to be injected: %w", err)
	}
	return plain(root.Content[0]), nil
}

// config returns the sidecar's configuration: configs/sidecar.yaml without its
// comments, with the listeners for the options.
func (o Options) config() string {
	listen := fmt.Sprintf("listen:\n  - address: 127.0.0.1:%d\n", o.Port)
	if o.Transparent {
		listen += "    transparent: true\n"
		if !o.IPv4Only {
			listen += fmt.Sprintf("  - address: \"[::1]:%d\"\n    transparent: true\n", o.Port)
		}
	}
	return listen + `upstream:
  warm_connections: 1
  max_connections: 64
clients:
  track: 100
  label_limit: 10
limits:
  connections: 576
  connections_per_client: 576
`
}
