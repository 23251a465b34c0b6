package main

import (
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"tlslift/deploy/demo/callers"
)

// firstPort is tlslift's port for the first application. Those of the others follow.
const firstPort = 3131

// call makes the sample applications call through tlslift until ctx ends.
func call(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("callers", flag.ContinueOnError)
	proxy := flags.String("proxy", "127.0.0.1", "host of tlslift; ports 3131 to 3135 are the applications'")
	root := flags.String("root", "", "root.pem of tlslift's CA, for the application with TLS 1.0")
	portal := flags.String("portal", "", "certificate of the pretend SMSPortal, for the application with TLS 1.3")
	every := flags.Duration("every", 2*time.Second, "time between calls")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *every <= 0 {
		return errors.New("-every must be positive")
	}
	tick := time.NewTicker(*every)
	defer tick.Stop()
	for number := 0; ; {
		// Read each time, because a restarted portal has a new certificate.
		applications := callers.All(pool(*root), pool(*portal))
		for i := range applications {
			c := &applications[i]
			number++
			if _, err := c.Call(ctx, net.JoinHostPort(*proxy, strconv.Itoa(firstPort+i)), number); err != nil && ctx.Err() == nil {
				fmt.Printf("%s: %v\n", c.Name, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// pool returns the certificates of a file. If the file cannot be read, the pool
// is empty, and the handshake reports that.
func pool(file string) *x509.CertPool {
	roots := x509.NewCertPool()
	if data, err := os.ReadFile(file); err == nil {
		roots.AppendCertsFromPEM(data)
	}
	return roots
}
