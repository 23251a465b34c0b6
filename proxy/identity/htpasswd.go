package identity

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// maxCost bounds a hash's work factor: at 14 one check takes about a second.
const maxCost = 14

// Users maps user names to bcrypt hashes.
type Users map[string][]byte

// ParseHtpasswd reads an htpasswd file: a "user:hash" on each line, blank
// lines and lines that start with # skipped. Only bcrypt is taken (htpasswd
// -B); every other scheme can be guessed too fast. All problems are returned
// at once, each naming its line and never a hash, nor a user without a bcrypt one:
// the file may be another that holds secrets. Users is never nil, so
// a file with no user lets no caller in.
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
		switch {
		case !found:
			bad(line, "not of the form user:hash")
		case CheckName(user) != nil:
			bad(line, "%v", CheckName(user))
		case users[user] != nil:
			bad(line, "user %q is already there", user)
		default:
			if why := checkHash(hash); why != "" {
				bad(line, "%s", why)
				continue
			}
			users[user] = []byte(hash)
		}
	}
	return users, problems
}

// checkHash says what is wrong with a hash; "" when nothing is.
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
