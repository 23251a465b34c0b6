package interop

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"tlslift/test/harness"
)

// update writes the tables of this run into the documentation:
//
//	go test ./test/interop -run TLSClients -update
var update = flag.Bool("update", false, "write the tables of this run into "+tablePage)

// tablePage holds the tables between <!-- NAME --> and <!-- end of NAME -->.
const tablePage = "../../docs/old-clients.md"

// compareTable prints a table and holds the page to it. A run from which
// something is missing proves nothing about the page.
func compareTable(t *testing.T, name, table string, complete bool) {
	t.Helper()
	t.Logf("\n%s", table)
	if t.Failed() || !complete {
		return
	}
	page, err := os.ReadFile(tablePage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), "<!-- "+name+" -->\n")
	old, after, ended := strings.Cut(rest, "<!-- end of "+name+" -->")
	switch {
	case !found || !ended:
		t.Errorf("%s has no place for the table %q", tablePage, name)
	case old == table:
	case *update:
		harness.WriteFile(t, tablePage, before+"<!-- "+name+" -->\n"+table+"<!-- end of "+name+" -->"+after)
	case os.Getenv(requireVariable) != "require":
		t.Logf("the table %q of %s is not that of this run, with the clients of this machine", name, tablePage)
	default:
		t.Errorf("the table %q of %s is not that of this run; if this run is right, run it with -update", name, tablePage)
	}
}

// row spells a line of a table.
func row(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func header(b *strings.Builder, cells ...string) {
	row(b, cells...)
	b.WriteString(strings.Repeat("|---", len(cells)) + "|\n")
}

func yes(r tlsResult) string {
	if r.done {
		return "yes"
	}
	return "-"
}

// suiteWords is the common ending of all suites' names left out.
func suiteWords(suite string) string { return strings.TrimPrefix(suite, "TLS_") }

// matrixTable is what the old clients did.
func matrixTable(all []tlsClient, results [][]tlsResult) string {
	var b strings.Builder
	header(&b, "Client", "TLS", "Its hello", "By CONNECT", "Directly", "Cipher suite", "Connections for 53 requests", "Taken for")
	for i, c := range all {
		connect, direct := results[i][0], results[i][1]
		hello := "names the host"
		switch {
		case c.framing == "sslv2":
			hello = "SSL 2.0 framing, no name"
		case c.sni == "no":
			hello = "no name"
		}
		connections := fmt.Sprint(connect.connections)
		if direct.connections != connect.connections {
			connections += fmt.Sprintf(" (directly %d)", direct.connections)
		}
		row(&b, c.name, c.version, hello, yes(connect), yes(direct), suiteWords(connect.suite), connections, connect.library)
	}
	return b.String()
}

// modernTable is what those did that were left alone.
func modernTable(all []tlsClient, results [][]tlsResult) string {
	var b strings.Builder
	header(&b, "Client", "By CONNECT", "Directly", "TLS with the upstream", "Taken for")
	for i, c := range all {
		connect, direct := results[i][0], results[i][1]
		row(&b, c.name, yes(connect), yes(direct), connect.version, connect.library)
	}
	return b.String()
}

// hopelessTable is who cannot get in.
func hopelessTable(all []tlsClient) string {
	var b strings.Builder
	header(&b, "Client", "Counted as", "Why", "What helps until it is upgraded")
	for _, c := range all {
		row(&b, c.name, "`"+c.fails+"`", c.why, c.helps)
	}
	return b.String()
}

// distrustTable is how clients say that they do not trust the CA.
func distrustTable(all []tlsClient, results [][]tlsResult) string {
	var b strings.Builder
	header(&b, "Client", "Counted as", "Verdict")
	for i, c := range all {
		row(&b, c.name, "`"+results[i][0].reason+"`", results[i][0].verdict)
	}
	return b.String()
}
