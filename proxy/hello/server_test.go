package hello

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// serverHello is a ServerHello message with the given supported_versions, if
// any, among its extensions.
func serverHello(version, suite uint16, selected ...uint16) []byte {
	body := binary.BigEndian.AppendUint16(nil, version)
	body = append(body, make([]byte, 32)...)
	body = append(body, 0)
	body = binary.BigEndian.AppendUint16(body, suite)
	body = append(body, 0)
	if len(selected) > 0 {
		list := []byte{0xff, 1, 0, 1, 0}
		list = append(list, 0, 43, 0, 2)
		list = binary.BigEndian.AppendUint16(list, selected[0])
		body = append(body, prefixed(2, list)...)
	}
	return message(typeServerHello, body)
}

func TestServersAnswer(t *testing.T) {
	t.Parallel()
	alert := record(RecordAlert, []byte{2, 40})
	warning := record(RecordAlert, []byte{1, 112})
	for name, c := range map[string]struct {
		raw  []byte
		want Answer
		err  error
	}{
		"TLS 1.2":                 {records(serverHello(VersionTLS12, 0xc02f), 9000), Answer{Version: VersionTLS12, CipherSuite: 0xc02f}, nil},
		"TLS 1.3":                 {records(serverHello(VersionTLS12, 0x1301, VersionTLS13), 9000), Answer{Version: VersionTLS13, CipherSuite: 0x1301}, nil},
		"in pieces":               {records(serverHello(VersionTLS12, 0x1301, VersionTLS13), 3), Answer{Version: VersionTLS13, CipherSuite: 0x1301}, nil},
		"an alert":                {alert, Answer{Refused: true, Level: 2, Alert: 40}, nil},
		"a warning, then a hello": {append(slices.Clone(warning), records(serverHello(VersionTLS12, 0x2f), 9000)...), Answer{Version: VersionTLS12, CipherSuite: 0x2f}, nil},
		"a warning, then nothing": {warning, Answer{}, ErrIncomplete},
		"close_notify":            {record(RecordAlert, []byte{1, 0}), Answer{Refused: true, Level: 1}, nil},
		"nothing yet":             {nil, Answer{}, ErrIncomplete},
		"HTTP":                    {[]byte("HTTP/1.1 400 Bad Request\r\n"), Answer{}, ErrNotTLS},
		"a long alert":            {record(RecordAlert, []byte{2, 40, 0}), Answer{}, ErrMalformed},
		"a ClientHello":           {records(buildHello(VersionTLS12, plainSuites, nil), 9000), Answer{}, ErrMalformed},
		"cut short":               {records(message(typeServerHello, []byte{3, 3, 0}), 9000), Answer{}, ErrMalformed},
		"never ending":            {bytes.Repeat(record(RecordHandshake, append([]byte{2, 0, 0xff, 0}, make([]byte, 4000)...)), 5), Answer{}, ErrIncomplete},
	} {
		for _, step := range []int{1, 7, 1 << 20} {
			var o AnswerObserver
			for p := range slices.Chunk(c.raw, step) {
				if n, err := o.Write(p); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
			}
			got, err := o.Answer()
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("%s, by %d: %+v, %v", name, step, got, err)
			}
			if done := c.err == nil || !errors.Is(c.err, ErrIncomplete) || len(c.raw) > maxAnswer; o.Done() != done {
				t.Errorf("%s, by %d: done %t", name, step, o.Done())
			}
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(records(serverHello(VersionTLS12, 0x1301, VersionTLS13), 9000), 5)
	f.Add(append(record(RecordAlert, []byte{1, 112}), record(RecordAlert, []byte{2, 70})...), 1)
	f.Fuzz(func(t *testing.T, raw []byte, step int) {
		var whole, pieces AnswerObserver
		_, _ = whole.Write(raw)
		for p := range slices.Chunk(raw, min(max(step, 1), 1<<20)) {
			_, _ = pieces.Write(p)
		}
		a, errA := whole.Answer()
		b, errB := pieces.Answer()
		if a != b || (errA == nil) != (errB == nil) {
			t.Errorf("%+v, %v in one; %+v, %v in pieces", a, errA, b, errB)
		}
		if errA == nil && !a.Refused && a.Version == tls.VersionTLS13 && len(raw) < 40 {
			t.Error("a ServerHello out of nothing")
		}
	})
}
