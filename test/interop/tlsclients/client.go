// Net/http with one client, so that the connection is kept.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(base string) error {
	root, err := os.ReadFile(os.Getenv("TLSLIFT_CA"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	if proxy := os.Getenv("TLSLIFT_PROXY"); proxy != "" {
		transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: proxy})
	}
	client := &http.Client{Transport: transport}
	show := func(answer *http.Response, err error) error {
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(os.Stdout, answer.Body)
		return err
	}
	if err := show(client.Get(base + "/exchange/get")); err != nil {
		return err
	}
	if err := show(client.Post(base+"/exchange/post", "", strings.NewReader("message=hello"))); err != nil {
		return err
	}
	for n := range 50 {
		if err := show(client.Get(fmt.Sprintf("%s/exchange/kept/%d", base, n))); err != nil {
			return err
		}
	}
	return show(client.Get(base + "/large"))
}
