package metrics

import "strings"

// Label values outside every configured set. They begin with an underscore, so
// that no host and no client can be taken for them.
const (
	// OtherUpstream is foreign traffic passed or tunnelled.
	OtherUpstream = "_other"
	// DeniedUpstream is traffic that was refused before it had an upstream.
	DeniedUpstream = "_denied"
)

// The closed sets that other rooms pass as words, in the order of the contract.
var (
	phases     = []string{"dns", "connect", "tls", "first_byte"}
	poolStates = []string{"idle", "busy"}
)

// Resource is what has a limit. Its String is the value of the label "resource"
// of tlslift_limit.
type Resource uint8

// The resources.
const (
	LabelledClients Resource = iota // clients.label_limit
	TrackedClients                  // clients.track
)

// Resources lists every resource.
var Resources = [...]Resource{LabelledClients, TrackedClients}

func (r Resource) String() string {
	return [...]string{LabelledClients: "labelled_clients", TrackedClients: "tracked_clients"}[r]
}

// maxLabel bounds the label values that come from a configuration, in bytes.
const maxLabel = 128

// clean returns s as a label value: valid UTF-8 and bounded.
func clean(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxLabel)], "") }
