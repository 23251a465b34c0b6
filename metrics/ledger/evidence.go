package ledger

import (
	"encoding/json"
	"time"
)

// Evidence holds, for each verdict, when it was last seen to hold, in Unix
// seconds. A negative value is when the same thing last succeeded after the
// verdict had held; 0 is never. Instances share their evidence through two
// metrics and Row. A fleet's evidence is the newest of each over its instances.
type Evidence [len(obstacles)]int64

// note records that a verdict holds.
func (e *Evidence) note(v Verdict, now int64) { e[v] = max(e[v], -e[v], now) }

// refute records that verdicts no longer hold. It ignores those that never did.
func (e *Evidence) refute(now int64, verdicts ...Verdict) {
	for _, v := range verdicts {
		if e[v] != 0 {
			e[v] = min(e[v], -e[v], -now)
		}
	}
}

// Held returns when a verdict was last seen to hold, and Refuted when that ended.
// At most one of them is nonzero.
func (e *Evidence) Held(v Verdict) int64 { return max(0, e[v]) }

// Refuted returns when a verdict ceased to hold; see Held.
func (e *Evidence) Refuted(v Verdict) int64 { return max(0, -e[v]) }

// Merge adds another instance's evidence about the same client. If both are from
// the same second, a refutation wins.
func (e *Evidence) Merge(other Evidence) {
	for v, theirs := range other {
		if ours, t := max(e[v], -e[v]), max(theirs, -theirs); t > ours || t == ours && theirs < 0 {
			e[v] = theirs
		}
	}
}

// VerdictAt is the single definition of a verdict, for one instance and for a
// fleet; deploy/prometheus/rules.yml repeats it in PromQL. Evidence counts if it
// is less than migratedAfter older than the newest. So a client that has fallen
// silent keeps its verdict, and one that has changed loses the old one. After a
// declaration only later evidence counts. Of the evidence that counts, the
// verdict of highest precedence wins. If none counts, the newest evidence
// decides. Without any evidence, the result is NoVerdict.
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

// proof is the evidence for one verdict in JSON.
type proof struct {
	At      time.Time `json:"at"`
	Refuted bool      `json:"refuted,omitempty"`
}

// MarshalJSON writes an object of the verdicts that ever held. Each has a time,
// and whether the verdict was refuted then.
func (e Evidence) MarshalJSON() ([]byte, error) {
	words := make(map[Verdict]proof)
	for _, v := range Verdicts {
		if e[v] != 0 {
			words[v] = proof{at(e.Held(v) + e.Refuted(v)), e[v] < 0}
		}
	}
	return json.Marshal(words)
}

// UnmarshalJSON reads the object and drops unknown words.
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
