package front

import "testing"

func TestNetwork(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"0.0.0.0:3128": "tcp4", "127.0.0.1:0": "tcp4", "[::ffff:127.0.0.1]:0": "tcp4",
		"[::]:3128": "tcp", "[::1]:3128": "tcp", ":3128": "tcp", "localhost:3128": "tcp", "nonsense": "tcp",
	} {
		if got := network(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
