package authority

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tlslift/proxy/host"
)

// The files that Init writes.
const (
	RootFile = "root.pem"   // for the clients
	CAFile   = "ca.pem"     // the intermediate and the root, for tlslift
	KeyFile  = "ca-key.pem" // the intermediate's key, mode 0600
)

const (
	day = 24 * time.Hour
	// DefaultDays is the default validity of a CA, in days. It is longer than a
	// migration takes.
	DefaultDays = 3650
	// MaxDays is the maximum validity of a CA, in days.
	MaxDays = 36500
)

// InitOptions describes the CA to create.
type InitOptions struct {
	Dir     string
	Domains []string // hosts or *.domain; each permits the domain and everything below it. The self-test host is added
	Days    int      // 1 to 36500; 0 means DefaultDays
	// Critical marks the name constraints as critical, as RFC 5280 4.2.1.10
	// requires. Clients that do not know the extension then reject the CA.
	Critical bool
	// SHA1 adds a SHA-1 signed twin of the intermediate to ca.pem, for clients
	// that can verify nothing else.
	SHA1 bool
	Now  time.Time
}

// Files holds the paths that Init wrote, and the domains that the CA may sign for.
type Files struct {
	Root, CA, Key string
	Permitted     []string // domains, each including everything below it
}

var (
	// ErrExists is wrapped by the error of Init if a file already exists.
	ErrExists = errors.New("it exists, and is never overwritten: name another directory (clients must then trust the new root too)")
	// ErrInvalid is wrapped by the error of Init if its options are invalid.
	ErrInvalid = errors.New("cannot make such a CA")
)

// Init creates a root, an intermediate that is constrained to the domains, and
// their files. It does not keep the root's key, so the root can sign nothing else.
// It never overwrites files.
func Init(o InitOptions) (Files, error) {
	f := Files{
		Root: filepath.Join(o.Dir, RootFile), CA: filepath.Join(o.Dir, CAFile), Key: filepath.Join(o.Dir, KeyFile),
	}
	var err error
	f.Permitted, err = constraintDomains(o.Domains)
	if err != nil {
		return Files{}, err
	}
	if o.Days == 0 {
		o.Days = DefaultDays
	}
	if o.Days < 1 || o.Days > MaxDays {
		return Files{}, fmt.Errorf("%w: --days %d: write 1 to %d", ErrInvalid, o.Days, MaxDays)
	}
	if info, err := os.Stat(o.Dir); err == nil && !info.IsDir() {
		return Files{}, fmt.Errorf("%w: --dir %s: it is a file, not a directory; name another", ErrInvalid, o.Dir)
	}
	for _, path := range []string{f.Root, f.CA, f.Key} {
		if _, err := os.Lstat(path); err == nil {
			return Files{}, fmt.Errorf("%s: %w", path, ErrExists)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return Files{}, fmt.Errorf("look for an earlier CA: %w", err)
		}
	}
	pair, err := makePair(o, f.Permitted)
	if err != nil {
		return Files{}, err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return Files{}, fmt.Errorf("make the CA's directory: %w", err)
	}
	return f, writeFiles([]file{
		{f.Key, pair.key, 0o600}, {f.CA, encodePEM(pair.ca...), 0o644}, {f.Root, encodePEM(pair.root), 0o644},
	})
}

type file struct {
	path string
	data []byte
	mode os.FileMode
}

// writeFiles writes all files, or none if it fails.
func writeFiles(files []file) error {
	for i, f := range files {
		out, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode)
		made := files[:i]
		if err == nil {
			made = files[:i+1]
			_, err = out.Write(f.data)
			err = errors.Join(err, out.Sync(), out.Close())
		}
		if err != nil {
			for _, m := range made {
				_ = os.Remove(m.path)
			}
			return fmt.Errorf("write the CA: %w", err)
		}
	}
	return nil
}

// constraintDomains converts hosts and patterns into name constraints. A host below
// another one needs no constraint of its own. A DNS constraint always permits the
// name itself too (RFC 5280 4.2.1.10: zero or more labels are added to it), so
// *.domain also permits the domain.
func constraintDomains(domains []string) ([]string, error) {
	if len(domains) == 0 {
		return nil, fmt.Errorf("%w: no domain given, it would permit every host", ErrInvalid)
	}
	var out []host.Name
	for _, d := range append(slices.Clone(domains), host.SelfTest) {
		p, err := host.ParsePattern(d)
		if err != nil || p.Domain().IsAddr() {
			return nil, fmt.Errorf("%w: --domain %q is not a DNS name; write an international one in its xn-- form", ErrInvalid, d)
		}
		if !slices.Contains(out, p.Domain()) {
			out = append(out, p.Domain())
		}
	}
	var names []string
	for _, n := range out {
		covered := false
		for parent := range n.Parents {
			covered = covered || slices.Contains(out, parent)
		}
		if !covered {
			names = append(names, n.String())
		}
	}
	return names, nil
}

type pair struct {
	root *x509.Certificate
	ca   []*x509.Certificate // the certificates in ca.pem
	key  []byte              // PEM
}

func makePair(o InitOptions, domains []string) (*pair, error) {
	rootKey, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make the root's key: %w", err)
	}
	caKey, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make the CA's key: %w", err)
	}
	root, err := signCA(rootTemplate(o), nil, rootKey, rootKey)
	if err != nil {
		return nil, err
	}
	template := caTemplate(o, domains)
	ca, err := signCA(template, root, caKey, rootKey)
	if err != nil {
		return nil, err
	}
	p := &pair{root: root, ca: []*x509.Certificate{ca, root}}
	if o.SHA1 {
		template.SignatureAlgorithm = x509.SHA1WithRSA
		twin, err := signCA(template, root, caKey, rootKey)
		if err != nil {
			return nil, err
		}
		p.ca = append(p.ca, twin)
	}
	der, err := x509.MarshalPKCS8PrivateKey(caKey)
	if err != nil {
		return nil, fmt.Errorf("encode the CA's key: %w", err)
	}
	p.key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return p, nil
}

// signCA signs template for the public half of key. A nil parent means self-signed.
func signCA(template, parent *x509.Certificate, key, signer *rsa.PrivateKey) (*x509.Certificate, error) {
	template.SerialNumber = newSerial()
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", template.Subject.CommonName, err)
	}
	return x509.ParseCertificate(der)
}

func rootTemplate(o InitOptions) *x509.Certificate {
	return &x509.Certificate{
		Subject:               subject("tlslift root", o.Now),
		NotBefore:             o.Now.Add(-Backdate),
		NotAfter:              o.Now.Add(time.Duration(o.Days) * day),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLen:            1,
		SignatureAlgorithm:    x509.SHA256WithRSA,
	}
}

func caTemplate(o InitOptions, domains []string) *x509.Certificate {
	t := rootTemplate(o)
	t.Subject = subject("tlslift CA", o.Now)
	t.MaxPathLen, t.MaxPathLenZero = 0, true
	// Name constraints bind only TLS servers; this keeps the key from signing code
	// or mail.
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	t.PermittedDNSDomains = domains
	t.PermittedDNSDomainsCritical = o.Critical
	t.ExcludedIPRanges = []*net.IPNet{
		{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
	}
	return t
}

// subject returns a CA's subject. It includes the time, so two CAs can be told
// apart in a trust store.
func subject(name string, now time.Time) pkix.Name {
	return pkix.Name{
		Organization: []string{"tlslift"},
		CommonName:   name + " " + now.UTC().Format("2006-01-02 15:04:05"),
	}
}
