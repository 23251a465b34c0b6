package inject

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The sidecar's fixed user ID and default ports.
const (
	// UID is the user and group that tlslift runs as in its image. It is an
	// uncommon number, so that a redirect exempts the proxy and nothing else.
	UID = 47128
	// DefaultPort is where the sidecar accepts the application's calls, on loopback.
	DefaultPort = 3128
	// DefaultAdminPort is where the kubelet and Prometheus reach the sidecar.
	DefaultAdminPort = 9129
	// DefaultStatusPort is where the sidecar serves its status page and API, on
	// loopback: the default of admin.address.
	DefaultStatusPort = 9128
)

// Options describe the sidecar. Start from [Default]. Annotations of a pod
// template override them.
type Options struct {
	Image       string   // the image of tlslift
	Transparent bool     // redirect the pod's TCP 80 and 443 instead of setting proxy variables
	IPv4Only    bool     // transparent: no listener and no redirect for IPv6
	Port        int      // where the application reaches the sidecar, 1 to 65535
	AdminPort   int      // metrics and probes, 1 to 65535
	StatusPort  int      // status page and API, on loopback, 1 to 65535; if not the default, it overrides the ConfigMap's admin.address
	CASecret    string   // Secret of type kubernetes.io/tls with the signing CA; "" = none
	ConfigMap   string   // ConfigMap with tlslift.yaml, instead of the built-in configuration; "" = none
	Containers  []string // containers that get the proxy variables; nil = all except init containers
	NoProxy     []string // hosts and .domains that bypass the proxy

	CPURequest    string // Kubernetes quantities
	MemoryRequest string
	MemoryLimit   string
}

// Default returns the options for an image.
func Default(image string) Options {
	return Options{
		Image:         image,
		Port:          DefaultPort,
		AdminPort:     DefaultAdminPort,
		StatusPort:    DefaultStatusPort,
		NoProxy:       []string{"localhost", "127.0.0.1", "::1", ".svc", ".cluster.local"},
		CPURequest:    "10m",
		MemoryRequest: "32Mi",
		MemoryLimit:   "64Mi",
	}
}

// ownPort is a port that the sidecar uses.
type ownPort struct {
	name   string // for messages
	option string // the flag, and the annotation after the prefix
	number int
}

func (o Options) ports() []ownPort {
	return []ownPort{
		{"port", "port", o.Port},
		{"admin port", "admin-port", o.AdminPort},
		{"status port", "status-port", o.StatusPort},
	}
}

// remedy says how to give the sidecar another port.
func (p ownPort) remedy() string {
	return fmt.Sprintf("--%[1]s or the annotation %[2]s%[1]s gives the sidecar another %[3]s", p.option, prefix, p.name)
}

var (
	objectName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
	quantity   = regexp.MustCompile(`^([0-9]{1,15}(?:\.[0-9]{1,9})?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$`)
	hostToken  = regexp.MustCompile(`^[A-Za-z0-9.:*_/-]{1,253}$`)
)

// Validate reports every option that cannot work, by its flag.
func (o Options) Validate() error { return o.validate("--") }

// validate reports what cannot work by its flag or its annotation. Both have the
// same name after lead.
func (o Options) validate(lead string) error {
	var problems []error
	bad := func(option, format string, args ...any) {
		problems = append(problems, fmt.Errorf(lead+option+" "+format, args...))
	}
	if o.Image == "" || strings.ContainsAny(o.Image, " \t\r\n") {
		bad("image", "%q is not the name of an image", o.Image)
	}
	taken := map[int]ownPort{}
	for _, p := range o.ports() {
		if p.number < 1 || p.number > 65535 {
			bad(p.option, "%d is not between 1 and 65535", p.number)
		} else if other, twice := taken[p.number]; twice {
			problems = append(problems, fmt.Errorf("%s and %s are both %d: %s", other.name, p.name, p.number, p.remedy()))
		}
		taken[p.number] = p
	}
	for _, object := range [][2]string{{"ca-secret", o.CASecret}, {"config-map", o.ConfigMap}} {
		if object[1] != "" && !objectName.MatchString(object[1]) {
			bad(object[0], "%q is not the name of a Kubernetes object", object[1])
		}
	}
	if o.Transparent && o.ConfigMap == "" && o.Port < 1024 {
		bad("port", "%d is a privileged port, and the sidecar has no privileges", o.Port)
	}
	for _, q := range [][3]string{{"cpu-request", o.CPURequest, "10m"}, {"memory-request", o.MemoryRequest, "32Mi"}, {"memory-limit", o.MemoryLimit, "64Mi"}} {
		if !quantity.MatchString(q[1]) {
			bad(q[0], "%q is not a quantity such as %s", q[1], q[2])
		}
	}
	if most, ok := amount(o.MemoryLimit); ok {
		if request, ok := amount(o.MemoryRequest); ok && most < request {
			bad("memory-limit", "%s is below %smemory-request, which is %s", o.MemoryLimit, lead, o.MemoryRequest)
		}
	}
	for _, host := range o.NoProxy {
		if _, after, is := strings.Cut(host, "://"); is {
			bad("no-proxy", "%q is a URL: write the host alone, such as %s", host, strings.Trim(after, "/"))
		} else if !hostToken.MatchString(host) {
			bad("no-proxy", "%q is not a host or domain", host)
		}
	}
	return errors.Join(problems...)
}

// amount returns the value of a quantity.
func amount(text string) (value float64, ok bool) {
	parts := quantity.FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(parts[1], 64)
	return n * units[parts[2]], err == nil
}

var units = map[string]float64{
	"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
}
