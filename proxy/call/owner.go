package call

// Owner is who an address belongs to, as far as this process knows.
type Owner uint8

// The owners. OwnerUnknown is the zero value. Such an address may still be an
// upstream's: this process has not resolved it, or the caller got it from another
// resolver.
const (
	OwnerUnknown    Owner = iota
	OwnerUnresolved       // the same, and the name of an upstream cannot be resolved
	OwnerUpstream         // an upstream's, now or in the last 24 hours
	OwnerForeign          // not an upstream's: an internal address, which no upstream has
)
