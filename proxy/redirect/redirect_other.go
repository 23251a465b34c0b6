//go:build !linux

package redirect

// Apply fails: nftables is Linux's.
func Apply(Rules) error { return ErrUnsupported }

// Remove fails: nftables is Linux's.
func Remove() (bool, error) { return false, ErrUnsupported }

// Status fails: nftables is Linux's.
func Status() (Rules, bool, error) { return Rules{}, false, ErrUnsupported }
