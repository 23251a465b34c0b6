//go:build !unix

package front

// isShortage cannot tell here; passing then depends on the error's own word.
func isShortage(error) bool { return false }
