package front

// writePiece is how much must be taken by the caller within BodyTimeout, in
// bytes, where partial progress cannot be seen (TLS).
const writePiece = 64 << 10

// Write writes an answer. A caller that takes none of it for BodyTimeout ends
// the write with os.ErrDeadlineExceeded.
func (c *Conn) Write(p []byte) (int, error) {
	timeout := c.limits().BodyTimeout
	written := 0
	for {
		piece := p[written:min(len(p), written+writePiece)]
		c.armWrite(c.shared.within(timeout))
		n, err := c.raw.Write(piece)
		written += n
		switch {
		case err == nil && written == len(p):
			return written, nil
		case err == nil:
		case n > 0 && !c.secured && isTimeout(err):
			// Some of it went: that is progress. (TLS cannot go on
			// after a timeout.)
			c.writeBy = unknown
		default:
			c.lost.Store(true)
			return written, err
		}
	}
}
