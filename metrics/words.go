package metrics

import "strings"

// poolStates are the values of the label "state", in the order of the contract.
var poolStates = [...]string{"idle", "busy"}

// Resource is something that has a limit. Its String is the value of the label
// "resource" of tlslift_limit.
type Resource uint8

// The resources, in the order of the contract.
const (
	Connections         Resource = iota // limits.connections
	UpstreamConnections                 // upstream.max_connections, for one host
	Memory                              // limits.memory, in bytes
	LabelledClients                     // clients.label_limit
	TrackedClients                      // clients.track
)

// Resources lists every resource.
var Resources = [...]Resource{Connections, UpstreamConnections, Memory, LabelledClients, TrackedClients}

func (r Resource) String() string {
	return [...]string{
		Connections: "connections", UpstreamConnections: "upstream_connections", Memory: "memory",
		LabelledClients: "labelled_clients", TrackedClients: "tracked_clients",
	}[r]
}

// Limits holds the limit of each resource, in the unit of its usage gauge.
type Limits [len(Resources)]int64

// maxLabel is the maximum length of a label value from a configuration, in bytes.
const maxLabel = 128

// clean returns s as a label value: valid UTF-8 and at most maxLabel bytes.
func clean(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxLabel)], "") }
