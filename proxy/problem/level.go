package problem

// Level is the severity at which a failure is logged. Its values are those of
// zapcore.Level.
type Level int8

// The levels.
const (
	LevelInfo  Level = iota // a caller's mistake, or a rule that did its job
	LevelWarn               // a person should look, but nothing was lost except the request
	LevelError              // a message may or may not have been sent
)

// LevelOf returns the level of a request's log line. Doubt about the delivery is an
// error. A failure of the upstream side, an internal address, a loop and an exhausted
// limit are warnings. A caller that was refused is information.
func LevelOf(r Reason, d Delivery) Level {
	switch {
	case r == None:
		return LevelInfo
	case d == Unknown:
		return LevelError
	case r.Upstream(), r == InternalAddress, r == Loop, r == Limit:
		return LevelWarn
	default:
		return LevelInfo
	}
}
