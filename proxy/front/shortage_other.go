//go:build !unix

package front

// TooFewDescriptors returns "" on this platform.
func TooFewDescriptors(int) string { return "" }

func outOfDescriptors(error) bool { return false }

// isShortage reports false: here passing relies on the error's Temporary method.
func isShortage(error) bool { return false }
