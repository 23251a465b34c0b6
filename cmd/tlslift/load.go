package main

import (
	"crypto/rand"

	"tlslift/configs"
	"tlslift/proxy"
)

// loaded is a usable configuration, with the contents of its files.
type loaded struct {
	src        configs.Source
	cfg        *configs.Config
	settings   proxy.Settings
	token      string     // of the admin side
	accountKey []byte     // hashes accounts when no key file is named
	files      []snapshot // their state just before they were read
}

// load reads a configuration and its files, for run, reload and check. If
// accountKey is nil, it makes a new one. judges find further reasons to reject
// the configuration. Even if load returns an error, files is set.
func load(src configs.Source, accountKey []byte, judges ...func(*loaded) configs.Problems) (*loaded, error) {
	in := &loaded{src: src, accountKey: accountKey}
	if accountKey == nil {
		in.accountKey = make([]byte, 32)
		_, _ = rand.Read(in.accountKey) // never fails
	}
	if file := src.Path(); file != "" {
		in.files = append(in.files, takeSnapshot(file))
	}
	_, err := configs.Load(src, func(cfg *configs.Config) (problems configs.Problems) {
		var named []string
		for _, file := range cfg.Files {
			named = append(named, file)
		}
		in.cfg, in.files = cfg, append(in.files, takeSnapshot(named...))
		in.settings, in.token, problems = contents(cfg, in.accountKey)
		for _, judge := range judges {
			problems = append(problems, judge(in)...)
		}
		return problems
	})
	return in, err
}
