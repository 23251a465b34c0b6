package configs

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

const (
	maxText = 200 // bytes of free text
	maxName = 128 // bytes of a client's name, as identity cuts discovered ones
)

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

// clientName is the name of a client, as metrics, logs and policy use it. A
// leading underscore is for tlslift's own names, such as _overflow.
var clientName = kind[string]{
	noun: "a client's name", example: "billing", tags: []string{strTag},
	parse: func(name string) (string, *fault) {
		if strings.HasPrefix(name, "_") || name == everyone {
			return "", faultf("write another name", "%s is a reserved name", quoted(name))
		}
		return text("a client's name", "billing", maxName).parse(name)
	},
}

// brownoutClient is a client's name, or "*" for all.
var brownoutClient = kind[string]{
	noun: clientName.noun, example: `"*"`, tags: clientName.tags,
	parse: func(name string) (string, *fault) {
		if name == everyone {
			return name, nil
		}
		return clientName.parse(name)
	},
}

var exemptForm = regexp.MustCompile(`^(/[!-~]*|[A-Za-z0-9_]+)$`)

// exemptCall is a value of api5's Type, or a path.
var exemptCall = kind[string]{
	noun: "a Type value or a path", example: "credits", tags: []string{strTag},
	parse: func(text string) (string, *fault) {
		if !exemptForm.MatchString(text) || len(text) > maxText {
			return "", faultf("write e.g. credits or /Balance", "%s is not a Type value or a path", quoted(text))
		}
		return text, nil
	},
}

// link is the URL of a page for people.
var link = kind[string]{
	noun: "a link", example: "https://wiki.example/migrate", tags: []string{strTag},
	parse: func(text string) (string, *fault) {
		u, err := url.Parse(text)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.ContainsAny(text, " <>\""):
			return "", faultf("", "%s is not a link", quoted(text))
		case u.User != nil:
			return "", faultf("remove them", "names a user or password")
		}
		return text, nil
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
