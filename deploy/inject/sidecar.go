package inject

import (
	"fmt"
	"strconv"
)

// The names of what is added to a pod.
const (
	ContainerName = "tlslift"          // the sidecar
	RedirectName  = "tlslift-redirect" // the init container of transparent mode
	PortName      = "tlslift-metrics"  // probes and metrics; 15 characters, as long as a port's name may be

	configVolume = "tlslift-config"
	caVolume     = "tlslift-ca"
	configDir    = "/etc/tlslift"
	configFile   = "tlslift.yaml"
	caDir        = "/etc/tlslift-ca"
)

// The parts of a container that are written here, in the order of their keys.
type (
	container struct {
		Name            string          `yaml:"name"`
		Image           string          `yaml:"image"`
		Args            []string        `yaml:"args,omitempty"`
		RestartPolicy   string          `yaml:"restartPolicy,omitempty"`
		Env             []variable      `yaml:"env,omitempty"`
		Ports           []port          `yaml:"ports,omitempty"`
		StartupProbe    *probe          `yaml:"startupProbe,omitempty"`
		ReadinessProbe  *probe          `yaml:"readinessProbe,omitempty"`
		LivenessProbe   *probe          `yaml:"livenessProbe,omitempty"`
		Resources       resources       `yaml:"resources"`
		SecurityContext securityContext `yaml:"securityContext"`
		VolumeMounts    []mount         `yaml:"volumeMounts,omitempty"`
	}
	variable struct {
		Name      string       `yaml:"name"`
		Value     string       `yaml:"value,omitempty"`
		ValueFrom *valueSource `yaml:"valueFrom,omitempty"`
	}
	valueSource struct {
		FieldRef         *fieldRef    `yaml:"fieldRef,omitempty"`
		ResourceFieldRef *resourceRef `yaml:"resourceFieldRef,omitempty"`
	}
	fieldRef struct {
		FieldPath string `yaml:"fieldPath"`
	}
	resourceRef struct {
		Resource string `yaml:"resource"`
		Divisor  string `yaml:"divisor"`
	}
	port struct {
		Name          string `yaml:"name"`
		ContainerPort int    `yaml:"containerPort"`
	}
	probe struct {
		HTTPGet          httpGet `yaml:"httpGet"`
		PeriodSeconds    int     `yaml:"periodSeconds,omitempty"`
		FailureThreshold int     `yaml:"failureThreshold,omitempty"`
	}
	httpGet struct {
		Path string `yaml:"path"`
		Port string `yaml:"port"`
	}
	resources struct {
		Requests map[string]string `yaml:"requests,omitempty"`
		Limits   map[string]string `yaml:"limits,omitempty"`
	}
	securityContext struct {
		RunAsUser                int          `yaml:"runAsUser"`
		RunAsGroup               int          `yaml:"runAsGroup"`
		RunAsNonRoot             bool         `yaml:"runAsNonRoot"`
		AllowPrivilegeEscalation bool         `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool         `yaml:"readOnlyRootFilesystem"`
		Capabilities             capabilities `yaml:"capabilities"`
		SeccompProfile           seccomp      `yaml:"seccompProfile"`
	}
	capabilities struct {
		Drop []string `yaml:"drop"`
		Add  []string `yaml:"add,omitempty"`
	}
	seccomp struct {
		Type string `yaml:"type"`
	}
	mount struct {
		Name      string `yaml:"name"`
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly"`
	}
	volume struct {
		Name        string       `yaml:"name"`
		Secret      *secret      `yaml:"secret,omitempty"`
		ConfigMap   *configMap   `yaml:"configMap,omitempty"`
		DownwardAPI *downwardAPI `yaml:"downwardAPI,omitempty"`
	}
	secret struct {
		SecretName string `yaml:"secretName"`
	}
	configMap struct {
		Name string `yaml:"name"`
	}
	downwardAPI struct {
		Items []downwardItem `yaml:"items"`
	}
	downwardItem struct {
		Path     string   `yaml:"path"`
		FieldRef fieldRef `yaml:"fieldRef"`
	}
)

// confined passes the Pod Security profile "restricted".
func confined() securityContext {
	return securityContext{
		RunAsUser: UID, RunAsGroup: UID, RunAsNonRoot: true, ReadOnlyRootFilesystem: true,
		Capabilities:   capabilities{Drop: []string{"ALL"}},
		SeccompProfile: seccomp{Type: "RuntimeDefault"},
	}
}

// sidecar is the proxy's container.
func (o Options) sidecar() container {
	field := func(name, path string) variable {
		return variable{Name: name, ValueFrom: &valueSource{FieldRef: &fieldRef{path}}}
	}
	c := container{
		Name: ContainerName, Image: o.Image, RestartPolicy: "Always",
		Env: []variable{
			field("POD_NAMESPACE", "metadata.namespace"),
			field("POD_WORKLOAD", "metadata.labels['"+LabelWorkload+"']"),
			// Whole MiB of the limit with six zeros behind: 95 % of it in bytes.
			{Name: "MEMORY_LIMIT_MIB", ValueFrom: &valueSource{ResourceFieldRef: &resourceRef{"limits.memory", "1Mi"}}},
			{Name: "GOMEMLIMIT", Value: "$(MEMORY_LIMIT_MIB)000000"},
			{Name: "TLSLIFT_CONFIG", Value: configDir + "/" + configFile},
			{Name: "TLSLIFT_WORKLOAD", Value: "$(POD_NAMESPACE)/$(POD_WORKLOAD)"},
			{Name: "TLSLIFT_ADMIN_PUBLIC", Value: ":" + strconv.Itoa(o.AdminPort)},
		},
		Ports:          []port{{PortName, o.AdminPort}},
		StartupProbe:   &probe{HTTPGet: httpGet{"/readyz", PortName}, PeriodSeconds: 1, FailureThreshold: 60},
		ReadinessProbe: &probe{HTTPGet: httpGet{"/readyz", PortName}, PeriodSeconds: 5},
		LivenessProbe:  &probe{HTTPGet: httpGet{"/healthz", PortName}, PeriodSeconds: 10},
		Resources: resources{
			Requests: map[string]string{"cpu": o.CPURequest, "memory": o.MemoryRequest},
			Limits:   map[string]string{"memory": o.MemoryLimit},
		},
		SecurityContext: confined(),
		VolumeMounts:    []mount{{configVolume, configDir, true}},
	}
	if o.StatusPort != DefaultStatusPort {
		c.Env = append(c.Env, variable{Name: "TLSLIFT_ADMIN", Value: "127.0.0.1:" + strconv.Itoa(o.StatusPort)})
	}
	if o.CASecret != "" {
		c.Env = append(c.Env, variable{Name: "TLSLIFT_CA_CERT", Value: caDir + "/tls.crt"}, variable{Name: "TLSLIFT_CA_KEY", Value: caDir + "/tls.key"})
		c.VolumeMounts = append(c.VolumeMounts, mount{caVolume, caDir, true})
	}
	return c
}

// redirect is the init container that changes the pod's netfilter rules. That
// takes root and one capability.
func (o Options) redirect() container {
	security := confined()
	security.RunAsUser, security.RunAsGroup, security.RunAsNonRoot = 0, 0, false
	security.Capabilities.Add = []string{"NET_ADMIN"}
	c := container{
		Name: RedirectName, Image: o.Image,
		Args: []string{"redirect", "apply", "--to", strconv.Itoa(o.Port), "--except-uid", strconv.Itoa(UID)},
		Resources: resources{
			Requests: map[string]string{"cpu": o.CPURequest, "memory": o.MemoryRequest},
			Limits:   map[string]string{"memory": o.MemoryLimit},
		},
		SecurityContext: security,
	}
	if o.IPv4Only {
		c.Args = append(c.Args, "--ipv4-only")
	}
	return c
}

// volumes are those of the sidecar.
func (o Options) volumes() []volume {
	config := volume{Name: configVolume}
	if o.ConfigMap != "" {
		config.ConfigMap = &configMap{o.ConfigMap}
	} else {
		config.DownwardAPI = &downwardAPI{Items: []downwardItem{{configFile, fieldRef{"metadata.annotations['" + AnnotationConfig + "']"}}}}
	}
	out := []volume{config}
	if o.CASecret != "" {
		out = append(out, volume{Name: caVolume, Secret: &secret{o.CASecret}})
	}
	return out
}

// config is the sidecar's configuration: configs/sidecar.yaml without its
// comments, with the listeners that the options ask for.
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
