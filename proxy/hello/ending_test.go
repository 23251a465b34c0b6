package hello

import (
	"strconv"
	"strings"
	"testing"
)

// recorded are conversations as they were seen on the wire between real clients
// and OpenSSL 3.0: C and S are records of the client and the server by their
// type and length, an alert in clear by its number, FIN and RST their ends. The
// server's hello is the first record of its own.
var recorded = []struct {
	client  string
	version uint16
	records string
	want    Ending
}{
	// The root is not one that the client has.
	{"curl 7.88 (OpenSSL 3.0)", VersionTLS12, "C22:512 S22:93 S22:811 S22:300 S22:4 C21:2=48 CRST SFIN", Rejected},
	{"Wget 1.21 (GnuTLS 3.7)", VersionTLS12, "C22:512 S22:61 S22:811 S22:300 S22:4 C22:37 C20:1 C22:40 S22:170 S20:1 S22:40 CFIN S21:26 SFIN", LeftSilently},
	{"Java 17", VersionTLS12, "C22:463 S22:65 S22:811 S22:300 S22:4 C21:2=46 CFIN SFIN", Rejected},
	{"Python 3 (OpenSSL 3.0)", VersionTLS12, "C22:512 S22:65 S22:811 S22:300 S22:4 C21:2=48 CRST SFIN", Rejected},
	{"Perl LWP (OpenSSL 3.0)", VersionTLS12, "C22:512 S22:65 S22:811 S22:300 S22:4 C21:2=48 SFIN CRST", Rejected},
	{"Node.js 20", VersionTLS12, "C22:372 S22:65 S22:811 S22:300 S22:4 C22:37 C20:1 C22:40 S22:186 S20:1 S22:40 CFIN S21:26 SFIN", LeftSilently},
	{"PHP 8.2 streams", VersionTLS12, "C22:512 S22:65 S22:811 S22:300 S22:4 C21:2=48 SFIN CRST", Rejected},
	{"Go 1.26", VersionTLS12, "C22:296 S22:93 S22:811 S22:300 S22:4 C21:2=42 SFIN CFIN", Rejected},
	{"Ruby 3.1 (OpenSSL 3.0)", VersionTLS12, "C22:512 S22:65 S22:811 S22:300 S22:4 C21:2=48 CRST SFIN", Rejected},
	{"gnutls-cli 3.7", VersionTLS12, "C22:396 S22:65 S22:811 S22:300 S22:4 C21:2=42 SFIN CFIN", Rejected},
	{"openssl s_client -verify_return_error", VersionTLS12, "C22:320 S22:65 S22:811 S22:300 S22:4 C21:2=48 CFIN SFIN", Rejected},
	{"curl 7.88 (OpenSSL 3.0)", VersionTLS13, "C22:512 S22:122 S20:1 S23:23 S23:831 S23:281 S23:69 C21:2=48 SFIN CRST", Rejected},
	{"Wget 1.21 (GnuTLS 3.7)", VersionTLS13, "C22:512 S22:155 S20:1 S23:49 S23:831 S23:281 S23:69 C20:1 C23:69 S23:250 CFIN S23:250 S23:19", LeftSilently},
	{"Java 17", VersionTLS13, "C22:463 S22:122 S20:1 S23:23 S23:831 S23:281 S23:69 C20:1 C23:35 CFIN SFIN", Rejected},
	{"Python 3 (OpenSSL 3.0)", VersionTLS13, "C22:512 S22:122 S20:1 S23:23 S23:831 S23:281 S23:69 C21:2=48 CRST SFIN", Rejected},
	{"Perl LWP (OpenSSL 3.0)", VersionTLS13, "C22:512 S22:122 S20:1 S23:23 S23:831 S23:281 S23:69 C21:2=48 CRST SFIN", Rejected},
	{"Node.js 20", VersionTLS13, "C22:372 S22:122 S20:1 S23:23 S23:831 S23:281 S23:69 CFIN S23:19 SFIN", HungUp},
	{"Go 1.26", VersionTLS13, "C22:296 S22:122 S20:1 S23:23 S23:831 S23:281 S23:69 C20:1 C23:19 CFIN SFIN", Rejected},
	{"Ruby 3.1 (OpenSSL 3.0)", VersionTLS13, "C22:512 S22:90 S20:1 S23:23 S23:831 S23:281 S23:69 C21:2=48 SFIN CRST", Rejected},
	{"gnutls-cli 3.7", VersionTLS13, "C22:396 S22:155 S20:1 S23:49 S23:831 S23:281 S23:69 C20:1 C23:19 CFIN SFIN", Rejected},
	{"openssl s_client -verify_return_error", VersionTLS13, "C22:320 S22:122 S20:1 S23:23 S23:831 S23:281 S23:69 C21:2=48 CFIN SFIN", Rejected},
	// Nobody asks anything.
	{"openssl s_client </dev/null", VersionTLS12, "C22:320 S22:65 S22:811 S22:300 S22:4 C22:37 C20:1 C22:40 S22:186 S20:1 S22:40 C21:26 CFIN SFIN", Left},
	{"gnutls-cli </dev/null", VersionTLS12, "C22:396 S22:65 S22:811 S22:300 S22:4 C22:37 C20:1 C22:40 S22:186 S20:1 S22:40 C21:26 SFIN CFIN", Left},
	{"openssl s_client </dev/null", VersionTLS13, "C22:320 S22:122 S20:1 S23:23 S23:831 S23:281 S23:69 C20:1 C23:69 C23:19 CFIN S23:250 S23:250 SFIN", Left},
	{"openssl s_client </dev/null", VersionTLS13, "C22:320 S22:122 S20:1 S23:23 S23:831 S23:281 S23:69 C20:1 C23:69 S23:250 C23:19 S23:250 SFIN CFIN", Left},
	{"gnutls-cli </dev/null", VersionTLS13, "C22:396 S22:155 S20:1 S23:49 S23:831 S23:281 S23:69 C20:1 C23:69 C23:19 S23:250 S23:250 SFIN CFIN", Left},
	// One request each.
	{"curl 7.88 (OpenSSL 3.0)", VersionTLS12, "C22:512 S22:93 S22:811 S22:300 S22:4 C22:37 C20:1 C22:40 S20:1 S22:40 C23:108 S23:83 C21:26 S21:26 SFIN CRST", Called},
	{"Wget 1.21 (GnuTLS 3.7)", VersionTLS12, "C22:512 S22:61 S22:811 S22:300 S22:4 C22:37 C20:1 C22:40 S22:170 S20:1 S22:40 C23:189 S23:83 CFIN S21:26 SFIN", Called},
	{"Java 17", VersionTLS12, "C22:463 S22:65 S22:811 S22:300 S22:4 C22:37 C20:1 C22:40 S22:186 S20:1 S22:40 C23:174 S23:83 S21:26 CRST", Called},
	{"Go 1.26", VersionTLS12, "C22:296 S22:93 S22:811 S22:300 S22:4 C22:37 C20:1 C22:40 S20:1 S22:40 C23:125 S23:83 CFIN S21:26 SFIN", Called},
	{"curl 7.88 (OpenSSL 3.0)", VersionTLS13, "C22:512 S22:122 S20:1 S23:23 S23:831 S23:281 S23:69 C20:1 C23:69 S23:250 C23:101 S23:250 S23:76 S23:19 C23:19 SFIN CFIN", Called},
	{"Wget 1.21 (GnuTLS 3.7)", VersionTLS13, "C22:512 S22:155 S20:1 S23:49 S23:831 S23:281 S23:69 C20:1 C23:69 S23:250 C23:182 S23:250 S23:76 S23:19 CRST", Called},
	{"Java 17", VersionTLS13, "C22:463 S22:122 S20:1 S23:23 S23:831 S23:281 S23:69 C20:1 C23:85 C23:183 S23:250 S23:250 S23:76 S23:19 CRST", Called},
	{"Python 3 (OpenSSL 3.0)", VersionTLS13, "C22:512 S22:122 S20:1 S23:23 S23:831 S23:281 S23:69 C20:1 C23:69 C23:141 S23:250 S23:250 S23:76 S23:19 CRST", Called},
	{"Node.js 20", VersionTLS13, "C22:372 S22:122 S20:1 S23:23 S23:831 S23:281 S23:69 C20:1 C23:69 C23:63 S23:250 S23:250 S23:76 S23:19 CFIN SFIN", Called},
	{"Ruby 3.1 (OpenSSL 3.0)", VersionTLS13, "C22:512 S22:90 S20:1 S23:23 S23:831 S23:281 S23:69 C23:69 C23:171 S23:250 S23:250 S23:76 S23:19 C23:19 CRST SFIN", Called},
	// The server refuses.
	{"PHP 8.2 streams at a server of TLS 1.3 alone", 0, "C22:512 S21:2=70 SFIN CFIN", Refused},
}

// invented are endings that no client was recorded with.
var invented = []struct {
	what    string
	version uint16
	records string
	want    Ending
}{
	{"the client leaves before the server speaks", VersionTLS13, "C22:512 CFIN", NothingSaid},
	{"the client leaves after a HelloRetryRequest", VersionTLS13, "C22:512 S22:90 S20:1 C20:1 CFIN", NothingSaid},
	{"the server leaves first", VersionTLS13, "C22:512 SFIN CFIN", Cut},
	{"the server leaves an idle client", VersionTLS13, "C22:512 S22:122 S23:900 C20:1 C23:69 S23:250 S23:19 SFIN C23:19 CFIN", Left},
	{"the server resets an idle client", VersionTLS12, "C22:512 S22:65 S22:900 C22:37 C20:1 C22:40 S20:1 S22:40 SRST", Cut},
	{"a request without an answer", VersionTLS12, "C22:512 S22:65 S22:900 C22:37 C20:1 C22:40 S20:1 S22:40 C23:100 CFIN", Cut},
	{"a request without an answer but tickets before it", VersionTLS13, "C22:512 S22:122 S23:900 C20:1 C23:69 S23:250 S23:250 C23:100 SFIN", Cut},
	{"early data", VersionTLS13, "C22:512 C23:100 S22:122 S23:69 C23:21 C23:53 S23:250 S23:90 CFIN", Called},
	{"False Start", VersionTLS12, "C22:512 S22:65 S22:900 C22:37 C20:1 C22:40 C23:100 S22:170 S20:1 S22:40 S23:80 CFIN", Called},
	{"the client cannot use the server's key", VersionTLS12, "C22:512 S22:65 S22:900 C21:2=47 CFIN", GaveUp},
	{"a ChaCha20 or CCM_8 alert", VersionTLS13, "C22:512 S22:122 S23:900 C20:1 C23:11 CFIN", Rejected},
}

func TestEndings(t *testing.T) {
	t.Parallel()
	for _, r := range recorded {
		if got := replay(t, r.version, r.records); got != r.want {
			t.Errorf("%s at %04x: %v, want %v", r.client, r.version, got, r.want)
		}
	}
	for _, r := range invented {
		if got := replay(t, r.version, r.records); got != r.want {
			t.Errorf("%s: %v, want %v", r.what, got, r.want)
		}
	}
}

// replay speaks a conversation, byte by byte, and returns its ending.
func replay(t *testing.T, version uint16, conversation string) Ending {
	t.Helper()
	var turns Turns
	greeted, byClient, ended := false, false, false
	for word := range strings.FieldsSeq(conversation) {
		up := word[0] == 'C'
		if word[1:] == "FIN" || word[1:] == "RST" {
			byClient, ended = byClient || up && !ended, true
			continue
		}
		bytes := recordOf(t, word[1:])
		if !up && !greeted && bytes[0] == RecordHandshake {
			if bytes = recordsOf(serverHello(version, 0xc02f)); version == VersionTLS13 {
				bytes = recordsOf(serverHello(VersionTLS12, 0x1301, VersionTLS13))
			}
			greeted = true
		}
		for i := range bytes {
			if up {
				turns.Up(bytes[i : i+1])
			} else {
				turns.Down(bytes[i : i+1])
			}
		}
	}
	return turns.Ending(byClient)
}

// recordOf is the record that a word such as 23:69 or 21:2=48 means.
func recordOf(t *testing.T, word string) []byte {
	t.Helper()
	kind, length, _ := strings.Cut(word, ":")
	length, alert, clear := strings.Cut(length, "=")
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(word, err)
		}
		return n
	}
	n := number(length)
	record := append([]byte{byte(number(kind)), 3, 3, byte(n >> 8), byte(n)}, make([]byte, n)...)
	if clear {
		record[RecordHeader], record[RecordHeader+1] = 2, byte(number(alert))
	}
	return record
}
