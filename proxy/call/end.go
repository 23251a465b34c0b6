package call

// End is how a tunnel ended. Its String is the log field "end".
type End uint8

// The ends. EndNone is for anything that is not a tunnel.
const (
	EndNone            End = iota
	EndClosed              // both sides ended, or one did and the other had nothing to say
	EndIdle                // nothing moved for limits.tunnel_idle_timeout, or for long enough while draining
	EndResetByClient       // the client's side failed
	EndResetByUpstream     // the far side failed
	EndCut                 // cut at the shutdown deadline
	EndHandshake           // it never began: the TLS handshake failed, or was refused
)

var endWords = [...]string{
	EndNone: "", EndClosed: "closed", EndIdle: "idle", EndResetByClient: "reset_by_client",
	EndResetByUpstream: "reset_by_upstream", EndCut: "cut", EndHandshake: "handshake",
}

func (e End) String() string {
	if int(e) < len(endWords) {
		return endWords[e]
	}
	return ""
}
