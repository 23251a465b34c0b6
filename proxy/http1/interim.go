package http1

import (
	"bufio"
	"errors"
	"net/http"
)

// maxInterim limits the 1xx answers read for one request (RFC 9110 section 15.2).
const maxInterim = 8

// ErrInterim means that interim answers were not followed by a final one.
var ErrInterim = errors.New("too many interim answers, or a switch of protocols")

// ReadFinalAnswer is ReadAnswer for the final answer. It skips the interim ones.
func ReadFinalAnswer(br *bufio.Reader, method string, a *Answer) error {
	for range maxInterim + 1 {
		switch err := ReadAnswer(br, method, a); {
		case err != nil, a.StatusCode >= 200:
			return err
		case a.StatusCode == http.StatusSwitchingProtocols:
			return ErrInterim
		}
	}
	return ErrInterim
}
