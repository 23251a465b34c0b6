package hello

import (
	"bufio"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"
)

// captured is one line of testdata/captured.txt.
type captured struct {
	client, library string
	raw             []byte
}

func readCaptured(t testing.TB) []captured {
	t.Helper()
	data, err := os.ReadFile("testdata/captured.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []captured
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if strings.HasPrefix(line, "#") || len(fields) != 3 {
			continue
		}
		raw, err := hex.DecodeString(fields[2])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, captured{fields[0], fields[1], raw})
	}
	return all
}

// A guess names what wrote the hello, or nothing: a wrong name sends the owner
// of a client the wrong way.
func TestRealClientsAreReadAndNamed(t *testing.T) {
	t.Parallel()
	all := readCaptured(t)
	unnamed := 0
	for _, c := range all {
		h, n, err := Parse(c.raw)
		if err != nil || n != len(c.raw) {
			t.Errorf("%s: %d of %d bytes, %v", c.client, n, len(c.raw), err)
			continue
		}
		switch got := h.Library().String(); got {
		case c.library:
		case "unknown":
			unnamed++
			t.Logf("unknown: %s, written by %s", c.client, c.library)
		default:
			t.Errorf("%s (%s): %s, written by %s", c.client, h.JA4(), got, c.library)
		}
	}
	if len(all) < 60 {
		t.Errorf("only %d hellos", len(all))
	}
	share := 100 * float64(unnamed) / float64(len(all))
	t.Logf("%d hellos, %d unknown (%.0f %%), none wrong", len(all), unnamed, share)
	if share > 20 {
		t.Errorf("%.0f %% are unknown", share)
	}
}

// recordings of testssl.sh, read where its package is installed: facts for
// the table, too many to ask real clients for.
const simulations = "/etc/testssl/client-simulation.txt"

func TestRecordedClientsAreNamed(t *testing.T) {
	t.Parallel()
	file, err := os.Open(simulations)
	if err != nil {
		t.Skip("testssl.sh is not installed")
	}
	defer file.Close()
	// The start of a recording's name, and the guesses that are right for it.
	want := []struct {
		name *regexp.Regexp
		libs string
	}{
		{regexp.MustCompile(`^(IE 6 XP|IE 8 XP)`), "SChannel Windows XP"},
		{regexp.MustCompile(`^(IE 7 Vista|IE (8|8-10|9) Win 7|BingBot)`), "SChannel Windows Vista, 7"},
		{regexp.MustCompile(`^(IE 11|Edge 1[2-7])`), "SChannel Windows 7 to 11"},
		{regexp.MustCompile(`^Java 6`), "Java 6 or older"},
		{regexp.MustCompile(`^Java 7`), "Java 7"},
		{regexp.MustCompile(`^Java 8`), "Java 8 before"},
		{regexp.MustCompile(`^Java (9|1\d)`), "Java 8u261, 9 or later"},
		{regexp.MustCompile(`^OpenSSL 0`), "OpenSSL 0.9.8"},
		{regexp.MustCompile(`^OpenSSL 1\.0`), "OpenSSL 1.0.x"},
		{regexp.MustCompile(`^OpenSSL (1\.1|3)`), "OpenSSL 1.1.0"},
		{regexp.MustCompile(`^LibreSSL`), "LibreSSL"},
		{regexp.MustCompile(`^Android 2`), "Android 2"},
		{regexp.MustCompile(`^Android 4`), "Android 4"},
		{regexp.MustCompile(`^Firefox (10|17|21|22|24|26)\b`), "NSS 3.x before"},
		{regexp.MustCompile(`^(Firefox (2[79]|[3-9]\d)|Thunderbird)`), "NSS 3.15.1"},
		{regexp.MustCompile(`^Safari (5\.|6\.0\.4)`), "Secure Transport OS X 10.6"},
		{regexp.MustCompile(`^(Safari (7|8|9|1\d)|Apple)`), "Secure Transport OS X 10.9"},
		{regexp.MustCompile(`^go `), "Go"},
	}
	checked, recorded, unnamed := 0, 0, 0
	forEachRecording(t, file, func(name string, raw []byte) {
		h, n, err := Parse(raw)
		if err != nil || n != len(raw) {
			t.Errorf("%s: %d of %d bytes, %v", name, n, len(raw), err)
			return
		}
		recorded++
		if h.Library().Name == "" {
			unnamed++
		}
		for _, w := range want {
			if w.name.MatchString(name) {
				checked++
				if got := h.Library().String(); !strings.HasPrefix(got, w.libs) {
					t.Errorf("%s (%s): %s, want %s", name, h.JA4(), got, w.libs)
				}
				return
			}
		}
	})
	t.Logf("%d recordings, %d unknown (%.0f %%)", recorded, unnamed, 100*float64(unnamed)/float64(recorded))
	if checked < 80 {
		t.Errorf("only %d recordings were checked", checked)
	}
}

var recordingLine = regexp.MustCompile(`^\s*(names|handshakebytes)\+=\("(.*)"\)`)

// forEachRecording calls f with each recorded hello.
func forEachRecording(t testing.TB, file *os.File, f func(name string, raw []byte)) {
	t.Helper()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	name := ""
	for lines.Scan() {
		m := recordingLine.FindStringSubmatch(lines.Text())
		switch {
		case m == nil:
		case m[1] == "names":
			name = m[2]
		default:
			raw, err := hex.DecodeString(m[2])
			if err != nil {
				t.Fatal(err)
			}
			f(name, raw)
		}
	}
}

func TestLibrariesHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{"unknown": true}
	for l := range Libraries() {
		if seen[l.String()] {
			t.Errorf("%+v", l)
		}
		seen[l.String()] = true
	}
}
