package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// portValue is a flag that holds a port.
type portValue struct{ port *int }

func (v portValue) String() string {
	if v.port == nil {
		return "0"
	}
	return strconv.Itoa(*v.port)
}

func (v portValue) Type() string { return "int" }

func (v portValue) Set(text string) error {
	n, err := parsePort(text)
	if err == nil {
		*v.port = int(n)
	}
	return err
}

// parsePort reads 1 to 65535.
func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, errors.New("not a port")
	}
	return uint16(n), nil
}

// parseUser reads the number of a user.
func parseUser(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, errors.New("not a user's number")
	}
	return uint32(n), nil
}

// listValue is a flag that may be repeated, and may hold several values with
// commas between. The first use replaces the default.
type listValue[T uint16 | uint32] struct {
	list  *[]T
	parse func(string) (T, error)
	given bool
}

func (v *listValue[T]) String() string {
	if v.list == nil {
		return "[]"
	}
	texts := make([]string, len(*v.list))
	for i, n := range *v.list {
		texts[i] = fmt.Sprint(n)
	}
	return "[" + strings.Join(texts, ",") + "]"
}

func (v *listValue[T]) Type() string { return "uints" }

func (v *listValue[T]) Set(text string) error {
	var more []T
	for _, one := range strings.Split(text, ",") {
		n, err := v.parse(strings.TrimSpace(one))
		if err != nil {
			return err
		}
		more = append(more, n)
	}
	if !v.given {
		*v.list, v.given = nil, true
	}
	*v.list = append(*v.list, more...)
	return nil
}
