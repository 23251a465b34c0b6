package identity

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// maxCost is the highest work factor of a hash: at 14 one check takes about a second.
const maxCost = 14

// Users maps user names to bcrypt hashes.
type Users map[string][]byte

// ParseHtpasswd parses an htpasswd file: "user:hash" on each line, ignoring blank
// lines and lines that start with #. Only bcrypt is accepted (htpasswd -B); every
// other scheme can be guessed too fast. It returns all problems at once, each with
// its line. They never contain a hash. They contain a user only if the hash is valid
// and the name is invalid or given twice: the file may be another one that holds
// secrets. Users is never nil, so a file without users lets no caller in.
func ParseHtpasswd(data []byte) (Users, []error) {
	users := make(Users)
	var problems []error
	bad := func(line int, format string, args ...any) {
		problems = append(problems, fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...)))
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		text = strings.TrimSpace(text)
		if text == "" || text[0] == '#' {
			continue
		}
		user, hash, found := strings.Cut(text, ":")
		hash = strings.TrimSpace(hash)
		why := checkHash(hash)
		switch {
		case !found:
			bad(line, "not of the form user:hash")
		case why != "": // before the name, which may be a secret if this is another file
			bad(line, "%s", why)
		case CheckName(user) != nil:
			bad(line, "%v", CheckName(user))
		case users[user] != nil:
			bad(line, "user %q is already there", user)
		default:
			users[user] = []byte(hash)
		}
	}
	return users, problems
}

// checkHash returns what is wrong with a hash, or "" if nothing is.
func checkHash(hash string) string {
	if len(hash) != 60 || !strings.HasPrefix(hash, "$2") {
		return "not a bcrypt hash; make it with htpasswd -B"
	}
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil {
		return "not a bcrypt hash; make it with htpasswd -B"
	}
	if cost > maxCost {
		return fmt.Sprintf("cost %d is too slow for a proxy; use at most %d", cost, maxCost)
	}
	return ""
}
