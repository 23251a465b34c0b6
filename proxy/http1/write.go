package http1

// writePiece is the size of one write, in bytes. On TLS, where partial progress
// cannot be seen, the caller must take it within BodyTimeout.
const writePiece = 64 << 10

// write writes p. It fails with os.ErrDeadlineExceeded if the caller takes no bytes
// for BodyTimeout.
func (c *Conn) write(p []byte) error {
	for {
		_ = c.nc.SetWriteDeadline(after(c.limits.BodyTimeout))
		n, err := c.nc.Write(p[:min(len(p), writePiece)])
		p = p[n:]
		switch {
		case err == nil && len(p) == 0:
			return nil
		case err == nil:
		case n > 0 && isTimeout(err):
			// Some bytes were written, so there is progress. TLS cannot go on after
			// a timeout and fails at the next attempt.
		default:
			return err
		}
	}
}
