package front

// AbortBody makes a read of the current request's body that is blocked return
// at once, and every later one fail: the answer came before the body was read,
// and nobody needs the rest. Nothing can follow on the connection. It may be
// called from any goroutine, after the request's head was handed out.
func (c *Conn) AbortBody() {
	c.bodyAborted.Store(true)
	_ = c.nc.SetReadDeadline(c.shared.epoch)
}
