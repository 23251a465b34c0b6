package configs

import _ "embed"

// Example is a configuration file with every key, its default and what it does.
//
//go:embed tlslift.yaml
var Example string
