//go:build !unix

package front

// TooFewDescriptors is unknown on this platform.
func TooFewDescriptors(int) string { return "" }

func outOfDescriptors(error) bool { return false }

// isShortage is unknown on this platform: passing asks the error itself.
func isShortage(error) bool { return false }
