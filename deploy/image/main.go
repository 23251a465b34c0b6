// Command image puts a static binary, or a whole folder, into a container image
// without a container engine. It writes a docker-archive, for docker load, podman
// load, ctr import and kind load. The image is the same as that of the
// Dockerfile's last stage. The same input gives the same bytes.
//
//	image -t tlslift:1.0 -o tlslift.tar -ca /etc/ssl/certs/ca-certificates.crt bin/tlslift
//	image -t app:1 -o app.tar -user 1000:1000 -root ROOTFS /usr/bin/curl
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"regexp"
	"runtime"
	"strings"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	i := image{}
	out := flags.String("o", "", "archive to write")
	var from sources
	flags.StringVar(&from.root, "root", "", "folder to take as the image's root, instead of a binary")
	flags.StringVar(&from.ca, "ca", "", "bundle of CA certificates")
	flags.StringVar(&from.legal, "legal", "", "comma-separated `files` to put into /licenses")
	flags.StringVar(&i.tag, "t", "", "NAME:TAG")
	flags.StringVar(&i.config.User, "user", "47128:47128", "numeric UID:GID")
	flags.StringVar(&i.arch, "arch", runtime.GOARCH, "amd64 or arm64")
	flags.StringVar(&i.version, "version", "", "version, for the image's labels")
	flags.StringVar(&i.revision, "revision", "", "commit, for the image's labels")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	from.command = flags.Args()
	err := build(&i, *out, from)
	if err != nil {
		fmt.Fprintln(os.Stderr, "image: "+err.Error())
		return 1
	}
	return 0
}

var (
	reference = regexp.MustCompile(`^[a-z0-9][a-z0-9._/:-]*:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	numeric   = regexp.MustCompile(`^[0-9]+:[0-9]+$`)
)

// sources are what an image is made of.
type sources struct {
	root    string   // folder; "" = only the command's binary
	ca      string   // bundle of CA certificates; "" = none
	legal   string   // files for /licenses, separated by commas
	command []string // the binary and its arguments
}

func build(i *image, out string, from sources) error {
	args := from.command
	switch {
	case !reference.MatchString(i.tag):
		return fmt.Errorf("-t %q is not NAME:TAG", i.tag)
	case !numeric.MatchString(i.config.User):
		return fmt.Errorf("-user %q is not UID:GID: a name says nothing about runAsNonRoot", i.config.User)
	case out == "" || len(args) == 0:
		return errors.New("usage: image -t NAME:TAG -o FILE [flags] BINARY [ARG...]")
	}
	if from.root != "" {
		if err := i.addTree(from.root); err != nil {
			return err
		}
		i.config.Entrypoint = args[:1]
	} else {
		name := "/" + path.Base(args[0])
		if err := i.addFile(args[0], name, 0o755); err != nil {
			return err
		}
		i.config.Entrypoint = []string{name}
	}
	i.config.Cmd = args[1:]
	if from.ca != "" {
		if err := i.addFile(from.ca, "/etc/ssl/certs/ca-certificates.crt", 0o644); err != nil {
			return err
		}
	}
	for file := range strings.SplitSeq(from.legal, ",") {
		if file == "" {
			continue
		}
		if err := i.addFile(file, "/licenses/"+path.Base(file), 0o644); err != nil {
			return err
		}
	}
	size, err := i.write(out)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s, %s, user %s, %.1f MiB\n", out, i.tag, i.arch, i.config.User, float64(size)/(1<<20))
	return nil
}
