package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

func portFlag(fl *pflag.FlagSet, port *int, name, usage string) {
	fl.Func(name, usage, func(text string) error {
		n, err := parsePort(text)
		if err == nil {
			*port = int(n)
		}
		return err
	})
	fl.Lookup(name).DefValue = strconv.Itoa(*port)
}

// parsePort parses a port from 1 to 65535.
func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, errors.New("not a port")
	}
	return uint16(n), nil
}

// parseUser parses a numeric user ID.
func parseUser(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, errors.New("not a user's number")
	}
	return uint32(n), nil
}

// listFlag adds a flag that may be repeated, and that accepts several values
// separated by commas. Its first use replaces the default.
func listFlag[T uint16 | uint32](fl *pflag.FlagSet, list *[]T, name, usage string, parse func(string) (T, error)) {
	given := false
	fl.Func(name, usage, func(text string) error {
		var more []T
		for one := range strings.SplitSeq(text, ",") {
			n, err := parse(strings.TrimSpace(one))
			if err != nil {
				return err
			}
			more = append(more, n)
		}
		if !given {
			*list, given = nil, true
		}
		*list = append(*list, more...)
		return nil
	})
	fl.Lookup(name).DefValue = strings.ReplaceAll(fmt.Sprint(*list), " ", ",")
}
