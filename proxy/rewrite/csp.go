package rewrite

import (
	"net/http"
	"slices"
	"strings"
)

// policies removes upgrade-insecure-requests from a Content-Security-Policy field
// (Upgrade Insecure Requests, 3.1). It drops a policy that contains nothing else, and
// a field that contains no other policy.
func (c *changer) policies(h http.Header, key string) {
	values, ok := h[key]
	if !ok {
		return
	}
	kept := values[:0]
	for _, v := range values {
		changed, ok := withoutUpgrade(v)
		if ok {
			c.counted(CSP)
		}
		if !ok || changed != "" {
			kept = append(kept, changed)
		}
	}
	if len(kept) == 0 {
		delete(h, key)
	} else {
		h[key] = kept
	}
}

// withoutUpgrade returns a list of serialized policies (Content Security Policy, 3.1)
// without the directive. Policies that lack it are unchanged.
func withoutUpgrade(v string) (string, bool) {
	var kept []string
	found := false
	for policy := range strings.SplitSeq(v, ",") {
		left := slices.DeleteFunc(strings.Split(policy, ";"), upgrades)
		rest := strings.Join(left, ";")
		changed := len(rest) < len(policy)
		found = found || changed
		if !changed || strings.Trim(rest, "; \t") != "" {
			kept = append(kept, rest)
		}
	}
	if !found {
		return v, false
	}
	return strings.TrimLeft(strings.Join(kept, ","), " \t"), true
}

// upgrades reports whether a directive is upgrade-insecure-requests.
func upgrades(directive string) bool {
	name := strings.Trim(directive, " \t")
	if i := strings.IndexAny(name, " \t"); i >= 0 {
		name = name[:i]
	}
	return strings.EqualFold(name, "upgrade-insecure-requests")
}
