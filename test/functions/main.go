// Command functions runs a tlslift built with -cover twice, once idle and once
// with one plain GET, and leaves what each covered in DIR/idle and DIR/get. See
// test/functions.sh.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"

	"tlslift/test/smsportal"
)

func main() {
	binary := flag.String("binary", "", "the tlslift to run")
	dir := flag.String("dir", "", "where the coverage goes")
	flag.Parse()
	for _, run := range []string{"idle", "get"} {
		if err := cover(*binary, filepath.Join(*dir, run), run == "get"); err != nil {
			fmt.Fprintf(os.Stderr, "functions: %s: %v\n", run, err)
			os.Exit(1)
		}
	}
}

var listening = regexp.MustCompile(`"msg":"listening","address":"([^"]+)"`)

// cover runs tlslift in front of a pretend SMSPortal until it is ready, asks it
// for one page if told to, and ends it.
func cover(binary, dir string, get bool) error {
	portal, err := smsportal.New(smsportal.Options{Keep: 1})
	if err != nil {
		return err
	}
	defer portal.Close()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ca, config := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "tlslift.yaml")
	text := fmt.Sprintf("listen: [{address: \"127.0.0.1:0\"}]\nadmin: {address: \"\"}\nupstream: {warm_connections: 0}\n"+
		"upstreams: [{host: api.smsportal.com, address: %q, ca_file: %q}]\n", portal.Addr(), ca)
	for name, data := range map[string]string{ca: string(portal.CAPEM()), config: text} {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			return err
		}
	}
	command := exec.Command(binary, "run", "--config", config)
	command.Env = append(os.Environ(), "GOCOVERDIR="+dir)
	logs, err := command.StderrPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		if found := listening.FindStringSubmatch(lines.Text()); found != nil {
			if get {
				if err := ask(found[1]); err != nil {
					return err
				}
			}
			if err := command.Process.Signal(syscall.SIGTERM); err != nil {
				return err
			}
		}
	}
	return command.Wait()
}

func ask(proxy string) error {
	client := http.Client{Transport: &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}), DisableKeepAlives: true,
	}}
	resp, err := client.Get("http://api.smsportal.com/api5/http5.aspx?Type=credits&Username=u&Password=p")
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
