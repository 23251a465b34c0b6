package problem

// Level is how loudly a failure is logged.
type Level uint8

// The levels.
const (
	LevelInfo  Level = iota // a caller's mistake, or a rule that did its work
	LevelWarn               // a person has to look: nothing was lost but the request
	LevelError              // a message may have been sent, or not
)

// LevelOf is the level of a request's log line: doubt is an error; a failure
// of the upstream side, a loop and an exhausted limit are warnings; a caller
// that was turned away is information.
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
