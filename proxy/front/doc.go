// Package front accepts connections: it applies the limits, reads the PROXY
// protocol and the original destination, looks at the first bytes, and knows
// whether a caller is still there. What a connection says afterwards is not its
// business.
package front
