package main

import (
	"crypto/rand"

	"tlslift/configs"
	"tlslift/proxy"
)

// loaded is a configuration that can be used, with what its files hold.
type loaded struct {
	src        configs.Source
	cfg        *configs.Config
	settings   proxy.Settings
	token      string     // of the admin side
	accountKey []byte     // hashes accounts when no key file is named
	files      []snapshot // what they were just before they were read
}

// load reads a configuration and its files, for run, a reload and check. A nil
// accountKey stands for a new one. judges find what more keeps it from use. With
// an error, files is set all the same.
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
