package redirect

import (
	"strings"
	"testing"
)

// usual is what a sidecar's init container applies.
func usual() Rules {
	return Rules{To: 3128, Ports: []uint16{80, 443}, ExceptUIDs: []uint32{47128}}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*Rules)
		want   string // in the error; "" = none
	}{
		"usual":   {func(*Rules) {}, ""},
		"to 0":    {func(r *Rules) { r.To = 0 }, "port 0"},
		"nothing": {func(r *Rules) { r.Ports = nil }, "no port"},
		"port 0":  {func(r *Rules) { r.Ports = []uint16{80, 0} }, "port 0"},
		"all":     {func(r *Rules) { r.ExceptUIDs = nil }, "all users"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := usual()
			tt.change(&r)
			err := r.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	r := usual()
	if got, want := r.String(), "TCP 80, 443 (IPv4 and IPv6) to port 3128, except user 47128"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	r.IPv4Only, r.ExceptUIDs = true, []uint32{0, 1}
	if got, want := r.String(), "TCP 80, 443 (IPv4) to port 3128, except user 0, 1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
