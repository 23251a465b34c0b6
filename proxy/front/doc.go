// Package front accepts connections. It applies the limits, reads the PROXY
// protocol header and the original destination, looks at the first bytes, and knows
// whether a caller is still there. It does not interpret what the connection
// carries after that.
package front
