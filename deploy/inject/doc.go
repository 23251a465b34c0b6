// Package inject adds tlslift to Kubernetes workloads, and takes it out again.
//
// It edits YAML nodes: the manifest keeps its comments, the order of its keys
// and everything that this package does not know. What is no workload passes
// byte for byte. No Kubernetes library is needed, and none is used: the result
// is for the API server to judge.
//
// A workload's pods get a native sidecar (an init container whose restartPolicy
// is Always, Kubernetes 1.29) and, for the containers that are to use it, the
// proxy variables of the environment. In transparent mode the containers stay
// as they are, and an init container redirects the pod's connections.
//
// What was added is noted in the annotation [AnnotationInjected] of the pod
// template, so that injecting twice gives what injecting once gives, and
// Uninject restores what was there before. The sidecar's configuration travels
// in an annotation, too: a workload needs no ConfigMap beside it.
package inject
