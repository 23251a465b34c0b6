package handover

import (
	"reflect"
	"testing"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

// local are the fields of an outcome that stay with the process that logs it:
// neither the metrics nor the ledger read them.
var local = map[string]bool{
	"Conn": true, "ConnID": true, "Caller": true, "Upstream": true, "Path": true, "APIType": true, "Cipher": true, "JA4": true, "Decision": true, "Detail": true,
	"RequestBytes": true, "ResponseBytes": true, "UpstreamVersion": true, "UpstreamReused": true, "Ending": true,
}

// full is an outcome in which every field says something.
func full(t *testing.T) *call.Outcome {
	t.Helper()
	o := new(call.Outcome)
	fill(t, reflect.ValueOf(o).Elem(), "")
	return o
}

func fill(t *testing.T, v reflect.Value, name string) {
	t.Helper()
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(at))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i).Name; !local[field] || name != "" {
				fill(t, v.Field(i), field)
			}
		}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), name)
	case v.Kind() == reflect.String:
		v.SetString("some " + name)
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanUint():
		v.SetUint(2)
	case v.CanInt():
		v.SetInt(2)
	default:
		t.Fatalf("what is a %v in an outcome?", v.Type())
	}
}

// Whatever the metrics and the ledger may read arrives; a new field of an
// outcome is one of these, or one of local.
func TestOutcomeArrives(t *testing.T) {
	t.Parallel()
	sent := full(t)
	got, err := Decode(Encode(sent))
	if err != nil || !reflect.DeepEqual(got, sent) {
		t.Errorf("%v; heard %+v\nsaid  %+v", err, got, sent)
	}
}

// Closed sets pass as words, so that two versions may number them differently.
func TestWords(t *testing.T) {
	t.Parallel()
	for _, v := range call.Versions {
		if got := parse[call.Version](v.String()); got != v {
			t.Errorf("%v becomes %v", v, got)
		}
	}
	for _, h := range call.Handlings {
		if got := parse[call.Handling](h.String()); got != h {
			t.Errorf("%v becomes %v", h, got)
		}
	}
	for _, i := range call.Ingresses {
		if got := parse[call.Ingress](i.String()); got != i {
			t.Errorf("%v becomes %v", i, got)
		}
	}
	for _, f := range call.HandshakeFailures {
		if got := parse[call.HandshakeFailure](f.String()); got != f {
			t.Errorf("%v becomes %v", f, got)
		}
	}
	for _, r := range call.Sources {
		if got := parse[call.Source](r.String()); got != r {
			t.Errorf("%v becomes %v", r, got)
		}
	}
	for _, r := range append(problem.DeniedReasons[:], problem.UpstreamReasons[:]...) {
		if got := parse[problem.Reason](r.String()); got != r {
			t.Errorf("%v becomes %v", r, got)
		}
	}
	if got := parse[problem.Reason]("of a later version"); got != problem.None {
		t.Errorf("an unknown word becomes %v", got)
	}
}
