package http1

// writePiece is how much the caller must take within BodyTimeout, in bytes,
// where partial progress cannot be seen (TLS).
const writePiece = 64 << 10

// write writes p. A caller that takes none of it for BodyTimeout ends the write
// with os.ErrDeadlineExceeded.
func (c *Conn) write(p []byte) (written int, err error) {
	for {
		_ = c.nc.SetWriteDeadline(after(c.limits.BodyTimeout))
		n, err := c.nc.Write(p[written:min(len(p), written+writePiece)])
		written += n
		switch {
		case err == nil && written == len(p):
			return written, nil
		case err == nil:
		case n > 0 && isTimeout(err):
			// Some of it went: that is progress. TLS cannot go on after a
			// timeout, and says so at the next attempt.
		default:
			return written, err
		}
	}
}
