//go:build !linux

package redirect

// Apply returns ErrUnsupported.
func Apply(Rules) error { return ErrUnsupported }

// Remove returns ErrUnsupported.
func Remove() (bool, error) { return false, ErrUnsupported }

// Status returns ErrUnsupported.
func Status() (Rules, bool, error) { return Rules{}, false, ErrUnsupported }
