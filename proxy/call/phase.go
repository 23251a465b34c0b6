package call

// Phase is a part of a request's time. Its String is the value of the metrics
// label "phase".
type Phase uint8

// The phases.
const (
	PhaseDNS Phase = iota
	PhaseConnect
	PhaseTLS
	PhaseFirstByte // until the answer
)

// Phases lists every phase.
var Phases = [...]Phase{PhaseDNS, PhaseConnect, PhaseTLS, PhaseFirstByte}

func (p Phase) String() string { return [...]string{"dns", "connect", "tls", "first_byte"}[p] }
