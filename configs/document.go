package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxFile is the maximum size of the configuration file, in bytes.
const maxFile = 1 << 20

// readFile returns the content of the configuration file, or nil if there is
// none. If it cannot be read, readFile reports that and returns nil.
func (l *loader) readFile(once bool) []byte {
	if l.file == "" {
		return nil
	}
	data, err := readBounded(l.file, once)
	if err == nil {
		return data
	}
	fix := "name a file that tlslift can read"
	switch {
	case errors.Is(err, errNotRegular):
		fix = "write the configuration to a file and name that with --config: it is read again for each reload and upgrade"
	case strings.HasPrefix(l.file, "~"):
		fix = "write the whole path: ~ is not expanded"
	}
	l.reportLine(0, "", "cannot be read: "+plainError(err).Error(), fix)
	return nil
}

// readBounded reads a regular file. It reads any other file only if once is set:
// a pipe would be empty at the next reload, and the defaults would take effect.
func readBounded(path string, once bool) ([]byte, error) {
	if !once {
		if err := readable(path); err != nil {
			return nil, err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	return data, err
}

// parse returns the root of the document in data, or nil if there is none. If the
// document cannot be parsed, parse reports that and returns nil.
func (l *loader) parse(data []byte) *yaml.Node {
	if !l.isText(data) {
		return nil
	}
	var documents []yaml.Node
	if err := yaml.Load(data, &documents, yaml.WithAllDocuments()); err != nil {
		l.syntaxError(data, err)
		return nil
	}
	if len(documents) > 1 {
		l.reportLine(documents[1].Line, "", "a second document begins", "write all in one document, without ---")
	}
	if len(documents) == 0 || isNull(documents[0].Content[0]) {
		return nil
	}
	root := documents[0].Content[0]
	if root.Kind != yaml.MappingNode || root.ShortTag() != "!!map" {
		l.reportLine(root.Line, "", shapeOf(root)+" is not a configuration", "write keys, e.g. others: auto")
		return nil
	}
	return root
}

// Recognized reports whether data is a configuration, even one with mistakes:
// most of its top-level keys are known.
func Recognized(data []byte) bool {
	if len(data) > maxFile {
		return false
	}
	root := newLoader("").parse(data)
	if root == nil {
		return false
	}
	known := 0
	for i := 0; i < len(root.Content); i += 2 {
		if schema().key(root.Content[i].Value) != nil {
			known++
		}
	}
	return 4*known > len(root.Content)
}

// isText reports whether data is text that the YAML reader accepts. It reports
// where it is not, because the YAML reader does not say.
func (l *loader) isText(data []byte) bool {
	line := 0
	for text := range bytes.Lines(data) {
		line++
		if !utf8.Valid(text) {
			l.reportLine(line, "", "is not UTF-8 text", "save it as UTF-8")
			return false
		}
		if i := bytes.IndexFunc(text, control); i >= 0 {
			l.reportLine(line, "", fmt.Sprintf("holds the control character %#02x", text[i]), "remove it")
			return false
		}
	}
	return true
}

func control(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f }

// syntaxError reports where an error of the YAML reader is. If something has no
// end, such as a quoted string or a bracket, it gives the place where that begins.
func (l *loader) syntaxError(data []byte, err error) {
	at, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		l.reportLine(0, "", "is not valid YAML: "+printableLine(err.Error()), "")
		return
	}
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	line := min(max(at.Mark.Line, 1), len(lines))
	message, fix := "is not valid YAML: "+printableLine(at.Message), "check indentation, quotes and brackets"
	if began := at.ContextMark.Line; began > 0 && began < line && !strings.HasPrefix(at.ContextMsg, "while parsing a block") {
		message += fmt.Sprintf(" up to line %d", line)
		line = began
	}
	text := lines[line-1]
	switch {
	case bytes.ContainsRune(text[:len(text)-len(bytes.TrimLeft(text, " \t"))], '\t'):
		fix = "indent with spaces: this line begins with a tab"
	case bareStar.Match(text):
		fix = `put a value that begins with * in quotes, such as "*.smsportal.com"`
	case strings.HasPrefix(at.Message, "unknown anchor"):
		fix = "write the value out"
	}
	l.reportLine(line, "", message, fix)
}

// bareStar matches a value that begins with *, which YAML takes for an alias.
var bareStar = regexp.MustCompile(`(?:^|[\s\[,:-])\*[.\]\s,]`)

// printableLine reduces a message to one line of bounded length.
func printableLine(message string) string {
	return shortened(strings.ToValidUTF8(strings.Join(strings.Fields(message), " "), "?"))
}
