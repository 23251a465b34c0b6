package configs

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"tlslift/proxy/identity"
)

// line returns what is wrong with text that should be one printable line of at
// most most bytes.
func line(text string, most int) error {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
	return firstFlaw(text,
		flaw{text == "", "is empty", ""},
		flaw{len(text) > most, "is too long", fmt.Sprintf("write at most %d bytes", most)},
		flaw{strings.TrimSpace(text) != text, "has space around it", "remove it"},
		flaw{strings.ContainsFunc(text, hidden), "holds characters that cannot be shown", "remove them"})
}

// clientName is the form of a client's name, as metrics and logs use it. A
// leading underscore is reserved for tlslift's own names, such as _overflow.
var clientName = textForm("a client's name", "billing", `^([^_*\s]|\*.).{0,127}$`, func(name string) (string, error) {
	if strings.HasPrefix(name, "_") || name == "*" {
		return "", refuse(name, "is a reserved name", "write another name")
	}
	return name, line(name, identity.MaxName)
})

// pathForm is the form of a path. With input, it is that of an existing file that
// can be read. The package that uses the file checks its contents.
func pathForm(example string, input bool) *form {
	f := textForm("a path", example, `^[^\s~]`, func(text string) (string, error) {
		if strings.HasPrefix(text, "~") {
			return "", Problem{Message: quoted(text) + ": ~ is not expanded", Fix: "write the whole path"}
		}
		return text, line(text, 4096)
	})
	f.path, f.input = true, input
	return f
}

// resolved resolves a path against the loader's folder. If it is for input, the
// file must be readable.
func (l *loader) resolved(text string, input bool) (string, error) {
	if !filepath.IsAbs(text) {
		text = filepath.Join(l.dir, text)
	}
	if input {
		if err := l.readable(text); err != nil {
			return "", Problem{Message: fmt.Sprintf("%q cannot be read: %s", text, plainError(err)), Fix: "name a file that tlslift can read"}
		}
	}
	return text, nil
}

var errNotRegular = errors.New("it is not a regular file")

// readable returns why a regular file cannot be read. It does not open other
// files, because that can block.
func readable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errNotRegular
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// plainError returns an error without the operation and path added by package os.
func plainError(err error) error { return cmp.Or(errors.Unwrap(err), err) }

// pin is the form of the SHA-256 digest of a SubjectPublicKeyInfo (RFC 7469 2.4).
var pin = textForm("a pin", "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", `^sha256/[A-Za-z0-9+/]{43}=$`, func(text string) (digest [32]byte, _ error) {
	raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "sha256/"))
	if len(raw) != len(digest) || text != "sha256/"+base64.StdEncoding.EncodeToString(raw) {
		return digest, refuse(text, "is not a pin", "write sha256/ and the base64 of the 32 bytes of its SHA-256")
	}
	return [32]byte(raw), nil
})
