package configs

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
)

// maxName bounds a client's name, in bytes, as identity cuts discovered ones.
const maxName = 128

// text is a line of printable text.
func text(noun, example string, most int) kind[string] {
	return kind[string]{
		noun: noun, example: example, tags: []string{strTag},
		parse: func(text string) (string, *fault) {
			switch {
			case text == "":
				return "", faultf("", "is empty")
			case len(text) > most:
				return "", faultf(fmt.Sprintf("write at most %d bytes", most), "%s is too long", quoted(text))
			case strings.TrimSpace(text) != text:
				return "", faultf("remove it", "%s has space around it", quoted(text))
			case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }):
				return "", faultf("remove them", "%s holds characters that cannot be shown", quoted(text))
			}
			return text, nil
		},
	}
}

// clientName is the name of a client, as metrics and logs use it. A
// leading underscore is for tlslift's own names, such as _overflow.
var clientName = kind[string]{
	noun: "a client's name", example: "billing", tags: []string{strTag},
	parse: func(name string) (string, *fault) {
		if strings.HasPrefix(name, "_") || name == "*" {
			return "", faultf("write another name", "%s is a reserved name", quoted(name))
		}
		return text("a client's name", "billing", maxName).parse(name)
	},
}

// pin is the SHA-256 digest of a SubjectPublicKeyInfo, as RFC 7469 2.4 has it.
var pin = kind[[32]byte]{
	noun:    "a pin",
	example: "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", tags: []string{strTag},
	parse: func(text string) (digest [32]byte, _ *fault) {
		const fix = "write sha256/ and the base64 of the 32 bytes of its SHA-256"
		encoded, ok := strings.CutPrefix(text, "sha256/")
		if !ok {
			return digest, faultf(fix, "%s does not begin with sha256/", quoted(text))
		}
		raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if err != nil || len(raw) != len(digest) || strings.ContainsAny(encoded, "\r\n") {
			return digest, faultf(fix, "%s is not a pin", quoted(text))
		}
		return [32]byte(raw), nil
	},
}
