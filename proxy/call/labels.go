package call

// Label values outside every configured set. They begin with an underscore, so
// no host and no client can be taken for them.
const (
	LabelOther    = "_other"    // upstream: foreign traffic, passed or tunnelled
	LabelDenied   = "_denied"   // upstream: traffic that was refused before it had one
	LabelOverflow = "_overflow" // client: every client beyond the label limit
)

// IsExemplar reports whether a request_id may be an exemplar: OpenMetrics allows
// 128 characters for names and values together, and the library panics beyond.
func IsExemplar(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return id != "" && len(id) <= 64
}
