// Package configs is the configuration of tlslift: its schema, defaults,
// strict loading from a file, the environment and flags, and validation.
//
// Everything that can be known to be wrong without a network is found by Load,
// all of it at once, each problem with its file, line, key and what to do.
package configs
