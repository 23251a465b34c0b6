package harness

import (
	"encoding/base64"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// quiet is a testing.TB that counts failures instead of having them.
type quiet struct {
	testing.TB
	failures int
}

func (q *quiet) Helper()               {}
func (q *quiet) Errorf(string, ...any) { q.failures++ }

func TestSecretsAreFoundInEveryForm(t *testing.T) {
	t.Parallel()
	secret := Secrets{"pass word&42-long"}
	encode := base64.StdEncoding.EncodeToString
	for name, text := range map[string]string{
		"plain":   "x pass word&42-long y",
		"case":    "PASS WORD&42-LONG",
		"query":   "a=pass+word%2642-long",
		"path":    "/pass%20word&42-long/",
		"base64":  encode([]byte("user:pass word&42-long")),
		"shifted": encode([]byte("use:pass word&42-long tail")),
		"again":   encode([]byte("us:pass word&42-long tail")),
	} {
		q := &quiet{TB: t}
		secret.Search(q, name, text)
		if q.failures == 0 {
			t.Errorf("%s: not found in %q", name, text)
		}
	}
	q := &quiet{TB: t}
	secret.Search(q, "clean", "nothing to see, pass word, 42")
	if q.failures != 0 {
		t.Error("found where it is not")
	}
}

func TestOverlayMergesMappingsAndReplacesLists(t *testing.T) {
	t.Parallel()
	config := tree{"limits": tree{"a": 1, "b": 2}, "listen": []any{1, 2}}
	var over tree
	if err := yaml.Unmarshal([]byte("limits: {b: 3}\nlisten: [4]\nothers: refuse"), &over); err != nil {
		t.Fatal(err)
	}
	merge(config, over)
	want := tree{"limits": tree{"a": 1, "b": 3}, "listen": []any{4}, "others": "refuse"}
	if !reflect.DeepEqual(config, want) {
		t.Errorf("%v", config)
	}
}

func TestMatchComparesAsWritten(t *testing.T) {
	t.Parallel()
	l := newLog(nil)
	l.add(`{"msg":"request","status":200,"bytes":1234567,"gone":false}`)
	l.add("not JSON")
	for want, match := range map[int][]Match{
		1: {{"msg": "request"}, {"status": 200, "gone": false}, {"bytes": 1234567}, {}},
		0: {{"msg": "other"}, {"status": 201}, {"absent": ""}},
	} {
		for _, m := range match {
			if got := len(l.matching(0, m)); got != want {
				t.Errorf("%v matches %d lines, want %d", m, got, want)
			}
		}
	}
	if !strings.HasSuffix(l.tail(), "not JSON") {
		t.Errorf("tail %q", l.tail())
	}
}

func TestCallerKeepsTheWireBytes(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	first := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A:  b\r\n\r\n2\r\nok\r\n0\r\n\r\n"
	second := "HTTP/1.1 502 Bad\r\nContent-Length: 1\r\nTlslift-Error: reset\r\nTlslift-Delivery: unknown\r\n\r\n!"
	go func() {
		fmt.Fprint(far, "HTTP/1.1 100 Continue\r\n\r\n", first, second)
		_ = far.Close()
	}()
	c := NewCaller(t, near)
	if a := c.Answer("GET"); !strings.HasSuffix(a.Raw, first) || a.Text != "ok" {
		t.Errorf("%q %q", a.Raw, a.Text)
	}
	if a := c.Answer("GET"); a.Raw != second || a.Problem() != "reset" || a.Delivery() != "unknown" || a.StatusCode != 502 {
		t.Errorf("%q", a.Raw)
	}
	c.ExpectClosed()
}
