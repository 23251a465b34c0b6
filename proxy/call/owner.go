package call

// Owner is whose an address is, as far as this process knows.
type Owner uint8

// The owners. OwnerUnknown is the zero value: the address may be an upstream's
// that this process has not resolved, or that another resolver gave the caller.
const (
	OwnerUnknown    Owner = iota
	OwnerUnresolved       // the same, and the name of an upstream cannot be resolved
	OwnerUpstream         // an upstream's, now or in the last 24 hours
	OwnerForeign          // no upstream's: an internal address, which no upstream has
)
