package main

import (
	"fmt"
	"io"
	"os"
)

// maxInput bounds a file that a flag or the configuration names, in bytes. A
// bundle of all public CAs takes less than 1 MiB.
const maxInput = 16 << 20

// readFile reads a file of at most maxInput bytes. With an error, it also returns
// what it has read.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxInput+1))
	if err == nil && len(data) > maxInput {
		err = &os.PathError{Op: "read", Path: name, Err: fmt.Errorf("it is larger than %d MiB", maxInput>>20)}
	}
	return data, err
}
