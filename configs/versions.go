package configs

// outboundVersion is the least TLS version towards an upstream. Nothing lowers
// it below 1.2.
var outboundVersion = tlsVersion(TLS12, TLS12, TLS13, "tlslift speaks nothing below TLS 1.2 to an upstream")

// legacyVersion is the least TLS version that callers may offer.
var legacyVersion = tlsVersion(TLS10, TLS10, TLS12, "SSL cannot be served")

// tlsVersion is a version from low to high. why says what stands below low.
func tlsVersion(example, low, high TLSVersion, why string) kind[TLSVersion] {
	all := []TLSVersion{TLS10, TLS11, TLS12, TLS13}
	var allowed []string
	for _, v := range all {
		if v >= low && v <= high {
			allowed = append(allowed, quoted(string(v)))
		}
	}
	return kind[TLSVersion]{
		noun: "a TLS version", example: quoted(string(example)), tags: anyTag(),
		fix: "write " + alternatives(allowed),
		parse: func(text string) (TLSVersion, *fault) {
			for _, v := range all {
				if text != string(v) {
					continue
				}
				switch {
				case v < low:
					return "", faultf("", "%s is refused: %s", quoted(text), why)
				case v > high:
					return "", faultf("", "%s is too high", quoted(text))
				}
				return v, nil
			}
			return "", faultf("", "%s is not a TLS version that can be set here", quoted(text))
		},
	}
}
