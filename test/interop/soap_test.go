//go:build linux

package interop

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// toolchain is one that reads a WSDL; see soap/README.md. Each of its commands
// runs in turn; WSDL is the description's URL, DIR a directory of its own.
type toolchain struct {
	name     string
	needs    []requirement
	commands []string
	slow     bool // seconds a run: fewer ways
}

const (
	jars      = "/usr/share/java/"
	axisJars  = jars + "axis.jar:" + jars + "axis-jaxrpc.jar:" + jars + "axis-saaj.jar:" + jars + "wsdl4j.jar:" + jars + "commons-discovery.jar:" + jars + "commons-logging.jar:" + jars + "javax.mail.jar:" + jars + "javax.activation.jar"
	jaxwsJars = jars + "jaxws-api.jar:" + jars + "jaxws-rt.jar:" + jars + "jaxb-api.jar:" + jars + "jaxb-runtime.jar:" + jars + "jws-api.jar:" + jars + "javax.activation.jar:" + jars + "saaj.jar:" + jars + "saaj-impl.jar:" +
		jars + "gmbal.jar:" + jars + "gmbal-pfl.jar:" + jars + "metro-policy.jar:" + jars + "mimepull.jar:" + jars + "stax-ex.jar:" + jars + "streambuffer.jar:" + jars + "woodstox-core.jar:" + jars + "stax2-api.jar:" +
		jars + "geronimo-annotation-1.3-spec.jar:" + jars + "istack-commons-runtime.jar:" + jars + "FastInfoset.jar:" + jars + "xml-resolver.jar:" + jars + "txw2.jar:" + jars + "asm.jar"
	javaQuick = "java -XX:TieredStopAtLevel=1 "
)

var toolchains = []toolchain{
	{name: "PHP SoapClient", needs: append(has("php"), module("php-soap", `php -r 'exit(class_exists("SoapClient") ? 0 : 1);'`)), commands: []string{"php soap/client.php WSDL"}},
	{name: "zeep", needs: []requirement{module("python3-zeep", systemPython+" -c 'import zeep'")}, commands: []string{systemPython + " soap/client.py WSDL"}},
	{name: "SOAP::Lite", needs: []requirement{module("libsoap-lite-perl", "perl -MSOAP::Lite -e 1")}, commands: []string{"perl soap/client.pl WSDL"}},
	{name: "Axis 1.4", slow: true, needs: append(has("java", "javac"), module("libaxis-java", "test -e "+jars+"axis.jar")), commands: []string{
		javaQuick + "-cp " + axisJars + " org.apache.axis.wsdl.WSDL2Java -o DIR WSDL",
		"javac -J-XX:TieredStopAtLevel=1 -nowarn -cp " + axisJars + ":DIR -sourcepath DIR -d DIR soap/AxisClient.java",
		javaQuick + "-cp " + axisJars + ":DIR AxisClient",
	}},
	{name: "JAX-WS", slow: true, needs: append(has("java", "javac"), module("libjaxws-java", "test -e "+jars+"jaxws-rt.jar")), commands: []string{
		"javac -J-XX:TieredStopAtLevel=1 -nowarn -cp " + jaxwsJars + " -d DIR soap/JaxwsClient.java",
		javaQuick + "-cp " + jaxwsJars + ":DIR JaxwsClient WSDL",
	}},
	{name: "Mono wsdl2", slow: true, needs: has("mono", "mcs", "wsdl2"), commands: []string{
		"wsdl2 -out:DIR/API.cs WSDL",
		"mcs -r:System.Web.Services -out:DIR/client.exe soap/client.cs DIR/API.cs",
		"mono DIR/client.exe",
	}},
}

// run makes the toolchain read the description at a URL and call, and returns
// what it prints.
func (c *toolchain) run(t *testing.T, n *harness.Namespace, wsdl string, env ...string) string {
	t.Helper()
	fill := strings.NewReplacer("WSDL2Java", "WSDL2Java", "WSDL", "'"+wsdl+"'", "DIR", t.TempDir())
	var script strings.Builder
	for _, command := range c.commands {
		script.WriteString(" && " + fill.Replace(command))
	}
	command := n.Command("sh", "-c", "exec 2>&1"+script.String())
	command.Env = append(plainEnvironment(), env...)
	out, _ := command.CombinedOutput() // what it prints says how it went
	return string(out)
}

// answered reports whether a program prints the balance, escaped or not.
func answered(said string) bool {
	return strings.Contains(said, "</credits>") || strings.Contains(said, "&lt;/credits&gt;") || strings.Contains(said, "&lt;/credits>")
}

// soapLab is a little internet: the API at an address of its own, tlslift on
// loopback, and a watch on who calls port 443, which only a program would.
type soapLab struct {
	*harness.Namespace
	portal  *smsportal.Server
	process *harness.Process
}

const apiAddress = "203.0.113.10" // TEST-NET-3, RFC 5737

func newSOAPLab(t *testing.T, config string) *soapLab {
	t.Helper()
	l := &soapLab{Namespace: harness.NewNamespace(t, []string{"nft", "curl"}, apiAddress)}
	l.Inside(func() (err error) {
		l.portal, err = smsportal.New(smsportal.Options{Listen: apiAddress + ":8443"})
		return err
	})
	t.Cleanup(func() { _ = l.portal.Close() })
	l.process = harness.Start(t, harness.Options{Under: l.Under(), Upstream: l.portal, Config: `
listen:
  - {address: "127.0.0.1:80"}
  - {address: "127.0.0.1:3128"}
  - {address: "127.0.0.1:3130", default_upstream: api.smsportal.com}
admin: {address: "127.0.0.1:9128"}
` + config})
	l.Nft(`table inet watch {
  chain out {
    type filter hook output priority 0;
    tcp dport 443 tcp flags & (syn | ack) == syn counter
  }
}`)
	return l
}

// secure is how often anybody tried to call an https address so far.
func (l *soapLab) secure(t *testing.T) int {
	t.Helper()
	return number(t, l.Command("nft", "list", "table", "inet", "watch"), `packets (\d+)`)
}

// rewritten is how many descriptions were rewritten so far.
func (l *soapLab) rewritten(t *testing.T) int {
	t.Helper()
	return number(t, l.Command("curl", "-sS", "http://127.0.0.1:9128/metrics"), `tlslift_rewrites_total\{kind="wsdl"\} (\d+)`)
}

// number is one in what a command prints, by a pattern.
func number(t *testing.T, command *exec.Cmd, pattern string) int {
	t.Helper()
	command.Env = plainEnvironment()
	out, err := command.Output()
	found := regexp.MustCompile(pattern).FindSubmatch(out)
	if err != nil || found == nil {
		t.Fatalf("%s: %v, no %s in %.300s", command, err, pattern, out)
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// waysToTheWSDL are how a SOAP program is pointed here.
var waysToTheWSDL = []struct {
	name, wsdl, ingress string
	hosts               string   // where the API's name leads
	env                 []string // of the program
	quick               bool     // tried with what is quick
}{
	{name: "hosts file", wsdl: "http://api.smsportal.com/api5/api.asmx?WSDL", ingress: "gateway", hosts: "127.0.0.1"},
	{
		name: "proxy", wsdl: "http://api.smsportal.com/api5/api.asmx?WSDL", ingress: "forward", hosts: apiAddress,
		env: []string{"http_proxy=http://127.0.0.1:3128", "HTTP_proxy=http://127.0.0.1:3128", "JAVA_TOOL_OPTIONS=-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=3128"},
	},
	{name: "base URL", wsdl: "http://127.0.0.1:3128/api.smsportal.com/api5/api.asmx?WSDL", ingress: "gateway", hosts: apiAddress},
	{name: "listener", wsdl: "http://127.0.0.1:3130/api5/api.asmx?WSDL", ingress: "gateway", hosts: apiAddress, quick: true},
}

// TestSOAPPrograms: each reads the WSDL over http, calls the address in it, and
// never leaves http, in whichever way it was pointed here.
func TestSOAPPrograms(t *testing.T) {
	l := newSOAPLab(t, "")
	runs := 0
	for _, toolchain := range toolchains {
		t.Run(toolchain.name, func(t *testing.T) {
			need(t, toolchain.needs)
			for _, way := range waysToTheWSDL {
				if way.quick && toolchain.slow {
					continue
				}
				l.portal.Reset()
				l.Hosts("127.0.0.1 localhost\n" + way.hosts + " api.smsportal.com\n")
				mark, before := l.process.Mark(), l.secure(t)
				said := toolchain.run(t, l.Namespace, way.wsdl, way.env...)
				if !answered(said) {
					t.Errorf("%s: it says %.2000s", way.name, said)
					continue
				}
				if n := l.secure(t) - before; n != 0 {
					t.Errorf("%s: it called an https address %d times", way.name, n)
				}
				var calls []*smsportal.Request
				for _, r := range l.portal.Requests() {
					if r.Method == "POST" {
						calls = append(calls, r)
					}
				}
				if len(calls) != 1 || calls[0].Target != "/api5/api.asmx" || calls[0].Host() != "api.smsportal.com" {
					t.Errorf("%s: the API saw %d calls", way.name, len(calls))
				}
				line := l.process.In(t).WaitLogAfter(mark, harness.Match{"msg": "request", "method": "POST"})
				if line.String("ingress") != way.ingress || line.String("host") != "api.smsportal.com" || line.String("api_type") != "Credits_STR" || line.String("status") != "200" {
					t.Errorf("%s: %v", way.name, line)
				}
				runs++
				if tunnels := l.process.Lines(mark, harness.Match{"msg": "tunnel"}); len(tunnels) != 0 {
					t.Errorf("%s: a tunnel: %v", way.name, tunnels)
				}
			}
		})
	}
	if n := l.rewritten(t); n < runs {
		t.Errorf("%d descriptions were rewritten in %d runs", n, runs)
	}
}

// TestSOAPProgramsLeaveWithoutRewriting: the control. Where the WSDL stays as
// it is, each program goes to the https address in it.
func TestSOAPProgramsLeaveWithoutRewriting(t *testing.T) {
	l := newSOAPLab(t, "rewrite: {wsdl: false}")
	l.Hosts("127.0.0.1 localhost\n" + waysToTheWSDL[0].hosts + " api.smsportal.com\n")
	for _, toolchain := range toolchains {
		t.Run(toolchain.name, func(t *testing.T) {
			need(t, toolchain.needs)
			l.portal.Reset()
			before := l.secure(t)
			said := toolchain.run(t, l.Namespace, waysToTheWSDL[0].wsdl)
			if l.secure(t) == before || answered(said) {
				t.Errorf("it stayed: %.2000s", said)
			}
			for _, r := range l.portal.Requests() {
				if r.Method == "POST" {
					t.Errorf("its call arrived at %s", r.Target)
				}
			}
		})
	}
	if n := l.rewritten(t); n != 0 {
		t.Errorf("%d descriptions were rewritten", n)
	}
}
