package front

// Buffered is how many bytes arrived already and are read before those of the
// connection beneath: when it is 0, that one may be read instead.
func (s *stream) Buffered() int { return s.c.buffered() }
