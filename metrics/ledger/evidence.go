package ledger

import (
	"encoding/json"
	"time"
)

// Evidence holds, for each verdict, when it was last seen to hold (Unix
// seconds), or, negative, when the same thing last succeeded after it had held
// once; 0 is never. It is what instances tell each other: two metrics and Row
// have it, and the evidence of a fleet is the newest of each over its instances.
type Evidence [len(obstacles)]int64

// note records that a verdict holds.
func (e *Evidence) note(v Verdict, now int64) { e[v] = max(e[v], -e[v], now) }

// refute records that verdicts do not hold now, of those that ever did.
func (e *Evidence) refute(now int64, verdicts ...Verdict) {
	for _, v := range verdicts {
		if e[v] != 0 {
			e[v] = min(e[v], -e[v], -now)
		}
	}
}

// Held is when a verdict was last seen to hold and Refuted when that ended; one
// of them at most is not 0.
func (e *Evidence) Held(v Verdict) int64 { return max(0, e[v]) }

// Refuted is described with Held.
func (e *Evidence) Refuted(v Verdict) int64 { return max(0, -e[v]) }

// Merge adds what another instance has of the same client. At the same second a
// verdict was refuted.
func (e *Evidence) Merge(other Evidence) {
	for v, theirs := range other {
		if ours, t := max(e[v], -e[v]), max(theirs, -theirs); t > ours || t == ours && theirs < 0 {
			e[v] = theirs
		}
	}
}

// VerdictAt is the one definition of a verdict, of one instance and of a fleet;
// deploy/prometheus/rules.yml has it in PromQL. Evidence counts if less than
// migratedAfter older than the newest, so that a client that has fallen silent
// keeps its verdict and one that has changed loses the old one; after a
// declaration only what came later counts. Of what counts the verdict of the
// highest precedence is chosen. When nothing counts, the newest evidence
// decides. Without any evidence it is NoVerdict.
func (e *Evidence) VerdictAt(now, declared time.Time, migratedAfter time.Duration) Verdict {
	newest := NoVerdict
	for _, v := range Verdicts {
		if e[v] > e[newest] {
			newest = v
		}
	}
	after := max(0, e[newest]-int64(migratedAfter/time.Second))
	if !declared.IsZero() && !now.Before(declared) {
		after = max(after, declared.Unix())
	}
	for _, v := range Verdicts {
		if e[v] > after {
			return v
		}
	}
	return newest
}

// proof is one verdict's evidence in JSON.
type proof struct {
	At      time.Time `json:"at"`
	Refuted bool      `json:"refuted,omitempty"`
}

// MarshalJSON makes an object of the verdicts that ever held: when, and whether
// they were refuted then.
func (e Evidence) MarshalJSON() ([]byte, error) {
	words := make(map[Verdict]proof)
	for _, v := range Verdicts {
		if e[v] != 0 {
			words[v] = proof{at(e.Held(v) + e.Refuted(v)), e[v] < 0}
		}
	}
	return json.Marshal(words)
}

// UnmarshalJSON reads the object; words that are not known are dropped.
func (e *Evidence) UnmarshalJSON(text []byte) error {
	var words map[string]proof
	if err := json.Unmarshal(text, &words); err != nil {
		return err
	}
	*e = Evidence{}
	for word, p := range words {
		v, err := ParseVerdict(word)
		if err != nil || v == NoVerdict {
			continue
		}
		if e[v] = max(0, unixOf(p.At)); p.Refuted {
			e[v] = -e[v]
		}
	}
	return nil
}
