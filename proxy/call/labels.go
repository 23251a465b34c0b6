package call

// Label values outside every configured set. They begin with an underscore, so they
// cannot be mistaken for a host or a client.
const (
	LabelOther    = "_other"    // upstream: foreign traffic, passed or tunnelled
	LabelDenied   = "_denied"   // upstream: traffic that was refused before it had one
	LabelOverflow = "_overflow" // client: every client beyond the label limit
)
