package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Hash returns 16 hexadecimal digits that are the same for two configurations
// whose values are the same, wherever these came from: file, environment, flags
// or defaults. The contents of the files that a configuration names do not
// count: some of them are secrets.
func (c *Config) Hash() string {
	text, err := json.Marshal(c)
	if err != nil { // no type in Config can fail
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
