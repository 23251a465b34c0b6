package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/publicsuffix"

	"tlslift/configs"
	"tlslift/proxy/authority"
	"tlslift/proxy/host"
)

func newCACommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "Make, show and export the CA that old TLS clients trust",
		Long: `Make, show and export the CA that old TLS clients trust.

Only clients that offer at most TLS 1.1 need it. They install root.pem; tlslift
signs with ca.pem and ca-key.pem (legacy_tls.ca), an intermediate that is
restricted to the given domains. The root's key is not kept.`,
		RunE: needsSubcommand("init, show or export"),
	}
	cmd.AddCommand(newCAInitCommand(), newCAShowCommand(), newCAExportCommand())
	return cmd
}

func newCAInitCommand() *cobra.Command {
	var o authority.InitOptions
	cmd := &cobra.Command{
		Use:   "init --dir D [--domain D]...",
		Short: "Make a root for the clients and a name-constrained CA for tlslift",
		Long: `Make root.pem (for the clients), ca.pem (the constrained intermediate and the
root: for tlslift) and ca-key.pem (mode 0600) in a directory. Existing files are
never overwritten.

Each --domain permits that host and all below it; without one, those are the
domains of the built-in upstreams. --domain '*.DOMAIN' permits the same as
--domain DOMAIN, because X.509 cannot permit less (RFC 5280, 4.2.1.10).
check.tlslift.test is always permitted.

--critical marks the name constraints as critical, as RFC 5280 requires. Some old
clients refuse a CA with a critical extension that they do not know. Without the
mark, those clients ignore the constraints, and all others still obey them.`,
		Example: `  tlslift ca init --dir /etc/tlslift/ca
  tlslift ca init --dir ca --domain smsportal.com --days 730 --critical`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Dir == "" {
				return usageError{errors.New("ca init needs --dir, the directory for the files")}
			}
			if o.Days < 1 {
				return usageError{fmt.Errorf("--days %d: write 1 to %d", o.Days, authority.MaxDays)}
			}
			if len(o.Domains) == 0 {
				o.Domains = defaultDomains()
			}
			for _, domain := range o.Domains {
				if strings.Contains(domain, ",") {
					return usageError{fmt.Errorf("--domain %q: repeat the flag for each domain", domain)}
				}
			}
			o.Now = time.Now()
			files, err := authority.Init(o)
			if errors.Is(err, authority.ErrInvalid) {
				return usageError{err}
			}
			if err != nil {
				return err
			}
			leaf := ""
			if o.SHA1 {
				leaf = "\n  sha1_leaf: true"
			}
			fmt.Fprintf(cmd.OutOrStdout(), caInitDone, files.Root, files.CA, files.Key, strings.Join(files.Permitted, ", "), files.CA, files.Key, leaf, files.Root)
			for _, domain := range o.Domains {
				if below, is := strings.CutPrefix(domain, "*."); is {
					fmt.Fprintf(cmd.ErrOrStderr(), "note: --domain %s permits %s too: a name constraint of X.509 cannot leave it out\n", domain, below)
				}
			}
			for _, wide := range wholeSuffixes(o.Domains) {
				fmt.Fprintf(cmd.ErrOrStderr(), "note: --domain %[1]s permits every site below %[1]s, so a stolen key could impersonate them all: name your API's domain\n", wide)
			}
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&o.Dir, "dir", "", "`directory` for the files; made if missing")
	fl.StringArrayVar(&o.Domains, "domain", nil, "permitted `domain`, with all below it; may be repeated")
	fl.IntVar(&o.Days, "days", authority.DefaultDays, "`number` of days the CA is valid")
	fl.BoolVar(&o.Critical, "critical", false, "mark the name constraints as critical")
	fl.BoolVar(&o.SHA1, "sha1", false, "add a SHA-1-signed copy of the intermediate to ca.pem, for legacy_tls.sha1_leaf")
	return cmd
}

const caInitDone = `%s   install this in the old clients (tlslift ca export says how)
%s     the CA that signs, and its root
%s its key: keep it secret

It can sign for these domains and all below them: %s

Configure it:

legacy_tls:
  ca: {cert_file: %s, key_file: %s}%s

Next: tlslift ca export --cert %s --format pem --out root-for-clients.pem
`

// wholeSuffixes returns the domains below which anyone can register a name, such
// as com or co.za.
func wholeSuffixes(domains []string) []string {
	var wide []string
	for _, d := range domains {
		p, err := host.ParsePattern(d)
		if err != nil {
			continue
		}
		name := p.Domain().String()
		if suffix, registry := publicsuffix.PublicSuffix(name); registry && suffix == name {
			wide = append(wide, name)
		}
	}
	return wide
}

// defaultDomains returns the domains of the built-in upstreams, including those
// of patterns.
func defaultDomains() []string {
	var domains []string
	for _, u := range configs.Default().Upstreams {
		domains = append(domains, u.Host.Domain().String())
	}
	return domains
}

func newCAShowCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "show --cert F",
		Short: "Show the certificates of a file: names, validity, constraints, fingerprints",
		RunE: func(cmd *cobra.Command, _ []string) error {
			certs, err := readCertificates("show", file)
			if err != nil {
				return err
			}
			now := time.Now()
			for i, cert := range certs {
				if i > 0 {
					fmt.Fprintln(cmd.OutOrStdout())
				}
				if err := authority.Describe(cmd.OutOrStdout(), cert, now); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "cert", "", "certificate `file`, PEM or DER")
	return cmd
}

func newCAExportCommand() *cobra.Command {
	var file, format, out string
	cmd := &cobra.Command{
		Use:   "export --cert root.pem --format pem|der|pkcs12 --out F",
		Short: "Write the root in the format that a client needs, and print how to install it",
		Long: `Write the root in the format that a client needs, and print how to install it.
From a file with several certificates, such as ca.pem, it takes the root. --out -
writes the root to standard output, and nothing else.`,
		Example: `  tlslift ca export --cert ca/root.pem --format der --out tlslift.cer
  tlslift ca export --cert ca/root.pem --format pkcs12 --out truststore.p12`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := authority.ParseFormat(format)
			if err != nil {
				return usageError{err}
			}
			if out == "" {
				return usageError{errors.New("ca export needs --out, the file to write")}
			}
			certs, err := readCertificates("export", file)
			if err != nil {
				return err
			}
			certs = authority.Roots(certs)
			data, err := authority.Export(certs, f)
			if err != nil {
				return err
			}
			if out == standardOutput {
				_, err := cmd.OutOrStdout().Write(data)
				return err
			}
			if err := spareFiles("out", out, named{"cert", file}); err != nil {
				return usageError{err}
			}
			if !authority.Replaceable(contentOf(out), certs) {
				return usageError{fmt.Errorf("--out %s: it holds something other than one root certificate, which would be overwritten; name another file, or remove this one first", out)}
			}
			if err := os.WriteFile(out, data, 0o644); err != nil {
				return fmt.Errorf("--out: %w", err)
			}
			fmt.Fprint(cmd.OutOrStdout(), authority.Instructions(certs, out, f))
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&file, "cert", "", "certificate `file`, PEM or DER: root.pem")
	fl.StringVar(&format, "format", "pem", "`format`: pem, der or pkcs12")
	fl.StringVar(&out, "out", "", "`file` to write, - for standard output; replaced if it holds nothing but a root certificate")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"pem", "der", "pkcs12"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// readCertificates reads the file given to a ca subcommand.
func readCertificates(command, file string) ([]*x509.Certificate, error) {
	if file == "" {
		return nil, usageError{fmt.Errorf("ca %s needs --cert, the certificate's file", command)}
	}
	data, err := readFile(file)
	if err != nil {
		return nil, fmt.Errorf("--cert: %w", err)
	}
	certs, err := authority.ParseCertificates(data)
	if err != nil {
		return nil, fmt.Errorf("--cert %s: %w", file, err)
	}
	return certs, nil
}
