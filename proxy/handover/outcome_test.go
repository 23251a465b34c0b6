package handover

import (
	"encoding/json"
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
	arrive(t, call.Kinds[:])
	arrive(t, call.Versions[:])
	arrive(t, call.Handlings[:])
	arrive(t, call.Ingresses[:])
	arrive(t, call.HandshakeFailures[:])
	arrive(t, call.Sources[:])
	arrive(t, call.Settings[:])
	arrive(t, problem.DeniedReasons[:])
	arrive(t, problem.UpstreamReasons[:])
	arrive(t, []problem.Delivery{problem.NotSent, problem.Unknown, problem.Answered})
	o, err := Decode([]byte(`{"Reason":"of a later version","Handling":"of a later version"}`))
	if err != nil || o.Reason != problem.None || o.Handling != call.Plain {
		t.Errorf("unknown words become %v, %v (%v)", o.Reason, o.Handling, err)
	}
}

func arrive[T interface {
	comparable
	String() string
}](t *testing.T, set []T) {
	t.Helper()
	for _, v := range set {
		text, err := json.Marshal(v)
		if err != nil || string(text) != `"`+v.String()+`"` {
			t.Errorf("%v passes as %s (%v)", v, text, err)
		}
		var got T
		if err := json.Unmarshal(text, &got); err != nil || got != v {
			t.Errorf("%v becomes %v (%v)", v, got, err)
		}
	}
}
