package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the configuration file, in bytes.
const maxFile = 1 << 20

// readFile returns the content of the configuration file, or reports why it
// cannot be had.
func (l *loader) readFile() ([]byte, bool) {
	data, err := readBounded(l.file)
	if err != nil {
		l.report(Problem{l.file, 0, "", "cannot be read: " + plainError(err), "name a file that tlslift can read"})
		return nil, false
	}
	return data, true
}

var errTooLarge = fmt.Errorf("it is larger than %d bytes", maxFile)

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil && len(data) > maxFile {
		err = errTooLarge
	}
	return data, err
}

// parse returns the root of the document in data: nil when there is none, or
// when it cannot be read, which has been reported then.
func (l *loader) parse(data []byte) (root *yaml.Node, ok bool) {
	if p := l.unreadable(data); p != nil {
		l.report(*p)
		return nil, false
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, true
	case err != nil:
		l.report(l.syntaxError(data, err))
		return nil, false
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		l.report(Problem{l.file, second.Line, "", "a second document begins", "write all in one document, without ---"})
	case !errors.Is(err, io.EOF):
		l.report(l.syntaxError(data, err))
		return nil, false
	}
	root = document.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == nullTag {
		return nil, true
	}
	if root.Kind != yaml.MappingNode || root.ShortTag() != "!!map" {
		l.report(Problem{l.file, root.Line, "", shapeOf(root) + " is not a configuration", "write keys, e.g. others: auto"})
		return nil, false
	}
	return root, true
}

// unreadable finds what the YAML reader refuses without saying where.
func (l *loader) unreadable(data []byte) *Problem {
	line := 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return &Problem{l.file, line, "", "is not UTF-8 text", "save it as UTF-8"}
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0x7f:
			return &Problem{l.file, line, "", fmt.Sprintf("holds the control character %#02x", r), "remove it"}
		case r == '\n':
			line++
		}
		i += size
	}
	return nil
}

var syntaxForm = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(.*)$`)

// syntaxError places an error of the YAML reader. It names no line in the first
// one, and none for an anchor.
func (l *loader) syntaxError(data []byte, err error) Problem {
	p := Problem{File: l.file, Message: "is not valid YAML: " + err.Error(), Fix: "check indentation, quotes and brackets"}
	parts := syntaxForm.FindStringSubmatch(err.Error())
	if parts == nil {
		return p
	}
	p.Message = "is not valid YAML: " + printableLine(parts[2])
	switch {
	case strings.HasPrefix(parts[2], "unknown anchor"):
		p.Fix = "write the value out"
	case parts[1] == "":
		p.Line = 1
	default:
		p.Line, _ = strconv.Atoi(parts[1]) // digits only; a line too large stays 0
	}
	switch text := lineOf(data, p.Line); {
	case bytes.ContainsRune(text[:len(text)-len(bytes.TrimLeft(text, " \t"))], '\t'):
		p.Fix = "indent with spaces: this line begins with a tab"
	case bareStar.Match(text):
		p.Fix = `put a value that begins with * in quotes, such as "*.smsportal.com"`
	}
	return p
}

// bareStar is a value that begins with *, which YAML takes for an alias.
var bareStar = regexp.MustCompile(`(?:^|[\s\[,:-])\*[.\]\s,]`)

// lineOf is a line of a document, from 1; empty when there is none.
func lineOf(data []byte, wanted int) []byte {
	number := 0
	for text := range bytes.Lines(data) {
		if number++; number == wanted {
			return text
		}
	}
	return nil
}

// printableLine keeps a message to one line of bounded length.
func printableLine(message string) string {
	return shortened(strings.ToValidUTF8(strings.Join(strings.Fields(message), " "), "?"))
}
