package page

import (
	"maps"
	"slices"
	"strings"
	"time"

	"tlslift/docs/fixes"
	"tlslift/metrics/figures"
	"tlslift/metrics/ledger"
)

// The texts of a message for what metrics, log and API show as codes.

// verdictTexts say what a verdict means.
var verdictTexts = map[string]string{
	"shut-out":           "it offers nothing that SMSPortal or tlslift accepts",
	"distrusts-ca":       "it rejects tlslift's certificate",
	"distrusts-upstream": "it rejects SMSPortal's certificate",
	"no-shared-cipher":   "it offers TLS 1.2, but no cipher suite that SMSPortal accepts",
	"no-server-name":     "it offers TLS 1.2, but names no server (SNI)",
	"sslv2-framed":       "its TLS hello has the SSL 2.0 format",
	"legacy-only":        "it offers at most TLS 1.1",
	"names-wrong-host":   "its TLS hello does not name the API host that it calls",
	"capable":            "it can speak TLS 1.2 or later",
	"plaintext":          "it uses plain HTTP",
}

// failureTexts say why a TLS handshake failed.
var failureTexts = map[string]string{
	"version":                  "its TLS version was not accepted",
	"no_shared_cipher":         "it offered no cipher suite that is accepted",
	"signature":                "it offered no signature algorithm that is accepted",
	"sslv2_hello":              "its TLS hello had the SSL 2.0 format",
	"client_rejected_ca":       "it rejected tlslift's certificate",
	"client_rejected_upstream": "it rejected SMSPortal's certificate",
	"no_server_name":           "it named no server (SNI)",
	"no_call":                  "it left without a call",
	"client_alert":             "it gave up with a TLS alert",
	"timeout":                  "it did not finish in time",
	"eof":                      "it closed the connection",
	"not_tls":                  "it sent something that is not TLS",
	"other":                    "another reason",
}

// refusalTexts say why tlslift refused a call.
var refusalTexts = map[string]string{
	"malformed":        "the request was broken or incomplete",
	"host":             "tlslift does not serve the host",
	"port":             "tlslift does not serve the port",
	"acl":              "the caller may not use this way in",
	"internal_address": "the name leads to an internal address",
	"proxy_auth":       "the proxy user name or password was missing or wrong",
	"too_large":        "the request was too large",
	"misdirected":      "the request named another host than its tunnel",
	"method":           "the method is not supported",
	"loop":             "the request was for tlslift itself, or came back to it",
	"limit":            "tlslift was at a limit",
	"draining":         "tlslift was shutting down",
	"client_timeout":   "the request did not arrive in time",
	"client_gone":      "the caller gave up first",
}

// worded returns a text with its code in brackets.
func worded(text, code string) string {
	if text == "" || code == "" {
		return code
	}
	return text + " (" + code + ")"
}

// inWords lists reasons with how often each was seen.
func inWords(counts map[string]uint64, texts map[string]string) string {
	var list []string
	for _, code := range slices.Sorted(maps.Keys(counts)) {
		said := times(counts[code])
		if text := texts[code]; text != "" {
			said = text + ", " + said
		}
		list = append(list, worded(said, code))
	}
	return strings.Join(list, "; ")
}

// stateOf says what a client's state means. A client that made no call but has a
// message is not a scanner.
func stateOf(r *ledger.Row, now time.Time, migratedAfter time.Duration) string {
	switch r.State {
	case ledger.NoCalls:
		return "never made a call"
	case ledger.Unseen:
		if !r.LastRefused.IsZero() {
			return "no call from it was let through"
		}
	case ledger.Silent:
		return silence(r, now, migratedAfter)
	}
	return stateText(r.State.String(), migratedAfter)
}

// silence says since when no call has come from a silent client.
func silence(r *ledger.Row, now time.Time, migratedAfter time.Duration) string {
	if now.Sub(r.LastSecure) < migratedAfter {
		return "no call since its last TLS handshake failed"
	}
	return "no call in " + figures.Last(migratedAfter) + ", which is not the same as migrated"
}

// verdictOf says what a client's verdict means. If only its silence speaks for
// the verdict, that is a guess.
func verdictOf(r *ledger.Row) string {
	offers := fixes.Client{Offered: r.HighestOffered, OldOffered: r.HighestOldOffered}
	text := offers.AtMost(verdictTexts[r.Verdict.String()])
	if r.Suspected {
		text = strings.Replace(text, "it rejects", "it may reject", 1)
	}
	return text
}

// runtimeLabel returns the label for what Row.Runtime names.
func runtimeLabel(r *ledger.Row) string {
	switch program, library := r.Named(); {
	case program != "" && library != "":
		return "Program and TLS library"
	case program != "":
		return "Program"
	default:
		return "TLS library"
	}
}
