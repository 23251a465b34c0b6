// Package inject adds tlslift to Kubernetes workloads, and removes it again.
//
// It edits YAML nodes, so the manifest keeps its comments, the order of its keys
// and everything that this package does not know. Documents without a workload
// pass through byte for byte. The package neither needs nor uses a Kubernetes
// library: the API server judges the result.
//
// A workload's pods get a native sidecar: an init container whose restartPolicy
// is Always (Kubernetes 1.29). The containers that should use it get the proxy
// environment variables. In transparent mode the containers stay as they are, and
// an init container redirects the pod's connections.
//
// The annotation [AnnotationInjected] of the pod template records what was added.
// So injecting twice gives the same result as injecting once, and Uninject
// restores what was there before. The sidecar's configuration is in an annotation
// too, so a workload needs no ConfigMap beside it.
package inject
