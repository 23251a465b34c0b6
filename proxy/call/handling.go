package call

// Handling is what was done with a connection. Its String is the value of the
// metrics label "handling".
type Handling uint8

// What can be done with a connection.
const (
	Plain      Handling = iota // plaintext HTTP, upgraded request by request
	Terminated                 // TLS terminated here with a leaf of the local CA
	Spliced                    // TLS relayed untouched to a configured upstream
	Tunnelled                  // bytes relayed to a foreign host
	Refused                    // answered with an error or an alert, then closed
)

// Handlings lists every handling.
var Handlings = [...]Handling{Plain, Terminated, Spliced, Tunnelled, Refused}

func (h Handling) String() string {
	return [...]string{Plain: "plain", Terminated: "terminated", Spliced: "spliced", Tunnelled: "tunnelled", Refused: "refused"}[h]
}
