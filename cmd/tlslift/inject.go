package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tlslift/deploy/inject"
)

// injectLimit bounds a manifest, in bytes. It is far more than an API server accepts.
const injectLimit = 64 << 20

type injectFlags struct {
	inject.Options
	files    []string
	uninject bool
	quiet    bool
}

func newInjectCommand() *cobra.Command {
	f := &injectFlags{Options: inject.Default("tlslift:" + version)}
	cmd := &cobra.Command{
		Use:   "inject [-f F]...",
		Short: "Add the sidecar to Kubernetes manifests, or remove it",
		Long: `Read Kubernetes manifests (YAML or JSON; standard input without -f) and add
tlslift as a native sidecar to every workload: Deployment, StatefulSet,
DaemonSet, ReplicaSet, Job, CronJob, Pod, and Lists of them. Everything else is
printed unchanged. Standard error shows what was done to each object.

Run it again to update the sidecar. --uninject removes the sidecar and restores
the manifest.

The application's containers get the proxy in http_proxy, https_proxy and
no_proxy (lower and upper case) and in JAVA_TOOL_OPTIONS. With --transparent they get no
variables: an init container with NET_ADMIN redirects their TCP 80 and 443.

Annotations of a pod template override the flags: tlslift/inject ("false": leave
these pods alone), tlslift/transparent, tlslift/image, tlslift/ca-secret, tlslift/config-map,
tlslift/containers, tlslift/no-proxy, tlslift/cpu-request, tlslift/memory-request,
tlslift/memory-limit, tlslift/port, tlslift/admin-port, tlslift/status-port.`,
		Example: `  kubectl get deployment billing -o yaml | tlslift inject --image registry.example/tlslift:1.0 | kubectl apply -f -
  tlslift inject -f app.yaml --image registry.example/tlslift:1.0 > with-sidecar.yaml
  tlslift inject -f with-sidecar.yaml --uninject`,
		RunE: f.run,
	}
	fl := cmd.Flags()
	fl.StringArrayVarP(&f.files, "filename", "f", nil, "manifest `file`, - for standard input; may be repeated")
	fl.BoolVar(&f.uninject, "uninject", false, "remove what was injected")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "do not print what was done")
	fl.BoolVar(&f.Transparent, "transparent", false, "redirect the pod's connections instead of setting proxy variables (NET_ADMIN)")
	fl.BoolVar(&f.IPv4Only, "ipv4-only", false, "with --transparent: leave IPv6 alone, for nodes without it")
	fl.StringVar(&f.Image, "image", f.Image, "`image` of tlslift, in a registry that the nodes can pull from")
	fl.StringVar(&f.CASecret, "ca-secret", "", "`name` of a TLS Secret with the signing CA, for clients that speak TLS 1.0 or 1.1")
	fl.StringVar(&f.ConfigMap, "config-map", "", "`name` of a ConfigMap with tlslift.yaml, instead of the built-in sidecar configuration")
	fl.StringSliceVar(&f.Containers, "container", nil, "`name` of a container that uses the proxy; may be repeated (default all)")
	fl.StringSliceVar(&f.NoProxy, "no-proxy", f.NoProxy, "`hosts` and .domains that are not proxied")
	portFlag(fl, &f.Port, "port", "`port` of the proxy, on loopback")
	portFlag(fl, &f.AdminPort, "admin-port", "`port` of metrics and probes (admin.public)")
	portFlag(fl, &f.StatusPort, "status-port", "`port` of the status page and API, on loopback (admin.address)")
	fl.StringVar(&f.CPURequest, "cpu-request", f.CPURequest, "CPU request of the sidecar, a `quantity`")
	fl.StringVar(&f.MemoryRequest, "memory-request", f.MemoryRequest, "memory request of the sidecar, a `quantity`")
	fl.StringVar(&f.MemoryLimit, "memory-limit", f.MemoryLimit, "memory limit of the sidecar, a `quantity`")
	return cmd
}

func (f *injectFlags) run(cmd *cobra.Command, _ []string) error {
	if err := f.Validate(); err != nil {
		return usageError{err}
	}
	told := cmd.ErrOrStderr()
	if f.quiet {
		told = io.Discard
	}
	out, err := f.editAll(cmd.InOrStdin(), told)
	if err != nil {
		return err
	}
	if _, err := cmd.OutOrStdout().Write(out); err != nil {
		return fmt.Errorf("write the manifests: %w", err)
	}
	return nil
}

// editAll edits the manifests one by one, so that an error names its file, and joins
// the results into one stream. It reports what was done only after all succeeded.
func (f *injectFlags) editAll(stdin io.Reader, told io.Writer) ([]byte, error) {
	files := f.files
	if len(files) == 0 {
		files = []string{"-"}
	}
	var all []byte
	var messages bytes.Buffer
	var names []string
	objects := false
	for _, file := range files {
		name := file
		if file == "-" {
			name = "standard input"
		}
		names = append(names, name)
		in, err := readManifest(file, stdin)
		if err == nil && len(in)+len(all) > injectLimit {
			err = fmt.Errorf("more than %d MiB", injectLimit>>20)
		}
		if err != nil {
			return nil, fmt.Errorf("read the manifest %s: %w", name, err)
		}
		out, results, err := f.edit(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		found := inject.Found(in)
		objects = objects || len(found) > 0
		if len(results) == 0 {
			fmt.Fprintf(&messages, "tlslift: %s has no workload, only %s\n", name, sayObjects(found))
		}
		tellInjected(&messages, results)
		if len(all) > 0 {
			if all[len(all)-1] != '\n' {
				all = append(all, '\n')
			}
			all = append(all, "---\n"...)
		}
		all = append(all, out...)
	}
	if !objects {
		return nil, fmt.Errorf("no Kubernetes object in %s: an object has apiVersion and kind", strings.Join(names, ", "))
	}
	_, err := messages.WriteTo(told)
	return all, err
}

// sayObjects lists the objects of a manifest; if there are many, only the first ones.
func sayObjects(found []string) string {
	const most = 5
	switch n := len(found); {
	case n == 0:
		return "something that is not a Kubernetes object"
	case n > most:
		return strings.Join(found[:most], ", ") + fmt.Sprintf(" and %d more", n-most)
	default:
		return strings.Join(found, ", ")
	}
}

func (f *injectFlags) edit(in []byte) ([]byte, []inject.Result, error) {
	if f.uninject {
		return inject.Uninject(in)
	}
	return inject.Inject(in, f.Options)
}

func readManifest(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(stdin, injectLimit+1))
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, injectLimit+1))
}

func tellInjected(w io.Writer, results []inject.Result) {
	for _, r := range results {
		name := r.Name
		if r.Namespace != "" {
			name = r.Namespace + "/" + name
		}
		fmt.Fprintf(w, "%s %s: %s\n", r.Kind, name, r.Action)
		for _, note := range r.Notes {
			fmt.Fprintln(w, "  "+note)
		}
	}
}
