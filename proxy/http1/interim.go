package http1

import (
	"bufio"
	"errors"
	"net/http"
)

// maxInterim bounds the 1xx answers before the final one (RFC 9110 section
// 15.2).
const maxInterim = 8

// ErrInterim is an answer that never becomes a final one.
var ErrInterim = errors.New("too many interim answers, or a switch of protocols")

// ReadFinalAnswer is ReadAnswer for the final answer. The interim ones before it
// are skipped.
func ReadFinalAnswer(br *bufio.Reader, method string, a *Answer) error {
	for range maxInterim {
		switch err := ReadAnswer(br, method, a); {
		case err != nil, a.StatusCode >= 200:
			return err
		case a.StatusCode == http.StatusSwitchingProtocols:
			return ErrInterim
		}
	}
	return ErrInterim
}
