package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tlslift/configs"
	"tlslift/metrics/ledger"
)

// adminToken reads admin.token_file; if none is configured, the token is "".
func adminToken(cfg *configs.Config) (string, configs.Problems) {
	const key, fix = "admin.token_file", "write a long random string to it, such as the output of openssl rand -hex 32"
	file := cfg.Admin.TokenFile
	if file == "" {
		return "", nil
	}
	data, err := readFile(file)
	if err != nil {
		return "", configs.Problems{cfg.Problem(key, err.Error(), "name a file that tlslift can read")}
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", configs.Problems{cfg.Problem(key, file+" is empty", fix)}
	}
	return token, nil
}

// wrongStateFile finds a state file that could never be written, or that holds
// something else, so the proxy would set it aside.
func wrongStateFile(in *loaded) configs.Problems {
	file := in.cfg.State.File
	if file == "" {
		return nil
	}
	wrong := func(message, fix string) configs.Problems {
		return configs.Problems{in.cfg.Problem("state.file", message, fix)}
	}
	dir := filepath.Dir(file)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return wrong("the directory "+dir+" does not exist, so the ledger would be kept in memory only", "create it, and make it writable by tlslift")
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return wrong(strconv.Quote(file)+" is a directory", "name a file in it, such as "+filepath.Join(file, "ledger.json"))
	} else if err == nil && !info.Mode().IsRegular() {
		return wrong(strconv.Quote(file)+" is not a regular file", "name a file that does not exist")
	}
	if errors.Is(errors.Join(ledger.Unusable(file, time.Now())...), ledger.ErrNotLedger) {
		return wrong(strconv.Quote(file)+" is not a tlslift ledger: the proxy would rename it and begin a new one", "name a file that does not exist")
	}
	return nil
}

// stateFileNotes returns what would keep the ledger from being read or written,
// as far as this user can see.
func stateFileNotes(cfg *configs.Config) []string {
	file := cfg.State.File
	if file == "" {
		return nil
	}
	var out []string
	if dir := stateDir(file); !writable(dir) {
		out = append(out, "state.file: this user cannot write to the directory "+dir+": the user that runs tlslift must be able to, or the ledger is kept in memory only")
	}
	for _, err := range ledger.Unusable(file, time.Now()) {
		if ledger.NotRead(err) {
			out = append(out, "state.file: this user cannot "+err.Error()+": the user that runs tlslift must be able to, or the ledger is kept in memory only")
		} else {
			out = append(out, "state.file: "+file+": "+err.Error()+"; the proxy would rename it and begin a new ledger")
		}
	}
	return out
}

// stateDir returns the directory that a state file is written in, following links.
func stateDir(file string) string {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	return filepath.Dir(file)
}
