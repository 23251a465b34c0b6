//go:build !unix

package rawio

import "errors"

const supported = false

func sysRead(int, []byte) (int, error) { return 0, errors.ErrUnsupported }

func sysWrite(int, []byte) (int, error) { return 0, errors.ErrUnsupported }
