package main

import (
	"os"
	"path/filepath"
	"strings"

	"tlslift/configs"
)

// adminToken reads admin.token_file; without one the token is "".
func adminToken(cfg *configs.Config) (string, configs.Problems) {
	const key, fix = "admin.token_file", "write a long random word into it, e.g. of openssl rand -hex 32"
	file := cfg.Admin.TokenFile
	if file == "" {
		return "", nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", configs.Problems{cfg.Problem(key, err.Error(), "name a file that tlslift can read")}
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", configs.Problems{cfg.Problem(key, file+" is empty", fix)}
	}
	return token, nil
}

// noDirectory finds a state file that could never be written.
func noDirectory(cfg *configs.Config) configs.Problems {
	if cfg.State.File == "" {
		return nil
	}
	dir := filepath.Dir(cfg.State.File)
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	return configs.Problems{cfg.Problem("state.file", "the directory "+dir+" does not exist, so the ledger would be kept in memory only", "make it, writable for tlslift")}
}
