package ledger

import (
	"slices"
	"strings"
	"time"

	"tlslift/proxy/call"
)

// maxMarks is how many marks of a kind are kept for each client. The one unseen
// for longest is replaced.
const maxMarks = 8

// markKind is the kind of a mark.
type markKind uint8

const (
	ofAddress markKind = iota // it calls from; a /64 in IPv6
	ofAccount                 // of the API
	ofJA4                     // of its hellos
	ofLibrary                 // guessed from its hellos
	ofFamily                  // of its User-Agents
	ofHost                    // it calls
	numMarkKinds
)

var markWords = [numMarkKinds]string{
	ofAddress: "address", ofAccount: "account", ofJA4: "ja4", ofLibrary: "library", ofFamily: "user_agent_family", ofHost: "host",
}

// mark is something seen behind a client's name, such as an address or a JA4.
type mark struct {
	kind markKind
	text string

	count uint64
	last  int64
	// back is when it last made a call again after another program had made one;
	// 0 is never.
	back int64

	called, latest bool // made a call in this process; made the latest call of its kind
}

// mark counts one sighting and returns its mark, or nil if text is empty.
func (r *row) mark(kind markKind, text string, now int64) *mark {
	if text == "" {
		return nil
	}
	text = strings.ToValidUTF8(text[:min(len(text), maxText)], "")
	m := r.findMark(kind, text)
	if m == nil {
		if m = r.oldestMark(kind); m == nil {
			r.marks = append(r.marks, mark{})
			m = &r.marks[len(r.marks)-1]
		}
		*m = mark{kind: kind, text: strings.Clone(text)}
	}
	m.count++
	m.last = max(m.last, now)
	return m
}

// findMark returns the mark with the given text, or nil if there is none.
func (r *row) findMark(kind markKind, text string) *mark {
	for i := range r.marks {
		if m := &r.marks[i]; m.kind == kind && m.text == text {
			return m
		}
	}
	return nil
}

// oldestMark returns the mark of a kind that has been unseen for longest, or nil
// while there is room for another.
func (r *row) oldestMark(kind markKind) (oldest *mark) {
	n := 0
	for i := range r.marks {
		if m := &r.marks[i]; m.kind == kind {
			if n++; oldest == nil || m.last < oldest.last {
				oldest = m
			}
		}
	}
	if n < maxMarks {
		return nil
	}
	return oldest
}

// unmark undoes one call of mark.
func (r *row) unmark(kind markKind, text string) {
	r.marks = slices.DeleteFunc(r.marks, func(m mark) bool {
		if m.kind != kind || m.text != text {
			return false
		}
		m.count--
		return m.count == 0
	})
}

// shows records what one outcome shows behind the client's name. asked reports
// whether it is a request, and called whether the client made a call.
func (r *row) shows(o *call.Outcome, offer *call.Offer, family call.Family, asked, called bool, now int64) {
	var agent *mark
	if asked {
		r.family = family
		agent = r.mark(ofFamily, family.String(), now)
	}
	if r.name == call.LabelOverflow {
		return // any client may be behind it
	}
	r.alternate(agent, now)
	if offer != nil {
		library := r.mark(ofLibrary, offer.Library, now)
		if called {
			r.alternate(library, now)
		}
		if m := r.mark(ofJA4, offer.JA4, now); m != nil {
			r.ja4 = m.text
		}
	}
	for kind, text := range [...]string{ofAddress: o.Client.Address, ofAccount: o.Client.Account} {
		if text != r.name {
			r.mark(markKind(kind), text, now)
		}
	}
}

// program returns the program that a mark points to, or "" if it points to none.
// It is the same for all marks that a single program may leave.
func (m *mark) program() string {
	switch m.kind {
	case ofFamily:
		return call.ParseFamily(m.text).Runtime()
	case ofLibrary:
		name, _, _ := strings.Cut(m.text, " ")
		if name == "Android" { // its TLS came from Java's, and looks like it
			return "Java"
		}
		return name
	default:
		return ""
	}
}

// alternate records a call by the program that left a mark.
func (r *row) alternate(m *mark, now int64) {
	if m == nil || m.latest {
		return
	}
	program := m.program()
	if program == "" {
		return
	}
	var returns, between bool
	for i := range r.marks {
		if x := &r.marks[i]; x.kind == m.kind {
			same := x.program() == program
			returns = returns || x.called && same
			between = between || x.latest && !same
			x.latest = false
		}
	}
	if returns && between {
		m.back = now
	}
	m.called, m.latest = true, true
}

// severalPrograms reports whether more than one program is behind the name. This
// takes two runtimes, or two TLS libraries, each seen again after the other
// within migratedAfter of the client's last sighting. A program that was replaced
// does not come back, nor does one that was tried once.
func (r *row) severalPrograms(migratedAfter time.Duration) bool {
	for _, kind := range [...]markKind{ofFamily, ofLibrary} {
		first := ""
		for i := range r.marks {
			m := &r.marks[i]
			if m.kind != kind || m.back == 0 || r.last-m.back >= int64(migratedAfter/time.Second) {
				continue
			}
			switch program := m.program(); first {
			case "":
				first = program
			case program:
			default:
				return true
			}
		}
	}
	return false
}
