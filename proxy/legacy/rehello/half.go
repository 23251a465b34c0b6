package rehello

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1" // required by TLS 1.0
	"crypto/subtle"

	"tlslift/proxy/hello"
)

// half is one direction of a connection.
type half struct {
	sealed  bool // its ChangeCipherSpec has passed
	started bool // and so has its first encrypted record
	macKey  []byte

	stream cipher.Stream // RC4, until the first record was converted
	block  cipher.Block  // if not RC4
	// The two CBC chains of TLS 1.0: the sender's, and the one that the receiver
	// expects. Nil if records carry their IV.
	opener, sealer cipher.BlockMode
}

// keyed reports whether the keys are known.
func (h *half) keyed() bool { return h.macKey != nil }

func (h *half) protect(s suite, key, iv []byte, explicitIV bool) {
	if s.block == nil {
		h.stream = newRC4(key)
		return
	}
	block, err := s.block(key)
	if err != nil {
		panic(err) // the key's size is a constant
	}
	h.block = block
	if !explicitIV {
		h.opener, h.sealer = cipher.NewCBCDecrypter(block, iv), cipher.NewCBCEncrypter(block, iv)
	}
}

// swap replaces the Finished want with give in the first encrypted record of a
// direction, if the record holds want. The two cases cannot be distinguished from
// outside: the record is decrypted and encrypted again either way. Records of
// impossible size pass unchanged.
func (h *half) swap(record, want, give []byte) {
	body := record[hello.RecordHeader:]
	if h.stream != nil {
		h.swapStream(record, want, give)
		return
	}
	size := h.block.BlockSize()
	opener, sealer := h.opener, h.sealer
	if opener == nil {
		if len(body) < size {
			return
		}
		iv := body[:size]
		opener, sealer = cipher.NewCBCDecrypter(h.block, iv), cipher.NewCBCEncrypter(h.block, iv)
		body = body[size:]
	}
	if len(body) < finishedSize+macSize || len(body)%size != 0 {
		return
	}
	opener.CryptBlocks(body, body)
	h.replace(record, body, want, give)
	sealer.CryptBlocks(body, body)
}

// swapStream is swap for RC4, which has no padding.
func (h *half) swapStream(record, want, give []byte) {
	body := record[hello.RecordHeader:]
	if len(body) != finishedSize+macSize {
		return
	}
	keys := make([]byte, len(body))
	h.stream.XORKeyStream(keys, keys)
	h.stream = nil // the two sides' streams stay in step from here on
	subtle.XORBytes(body, body, keys)
	h.replace(record, body, want, give)
	subtle.XORBytes(body, body, keys)
}

// replace replaces the Finished want and its MAC with give and its MAC, in constant
// time.
func (h *half) replace(record, plain, want, give []byte) {
	plain = plain[:finishedSize+macSize]
	expected := h.mac(record, want)
	match := subtle.ConstantTimeCompare(plain, expected)
	subtle.ConstantTimeCopy(match, plain, h.mac(record, give))
}

// mac returns message followed by its MAC as the first encrypted record of a
// direction (RFC 2246 6.2.3.1).
func (h *half) mac(record, message []byte) []byte {
	const sequence = 8
	header := make([]byte, sequence, sequence+hello.RecordHeader)
	header = append(header, record[0], record[1], record[2], 0, byte(len(message)))
	mac := hmac.New(sha1.New, h.macKey)
	mac.Write(header)
	mac.Write(message)
	return mac.Sum(append(make([]byte, 0, len(message)+macSize), message...))
}

// rechain moves a TLS 1.0 record with a CBC suite from the sender's chain to the
// receiver's. It does not examine the content.
func (h *half) rechain(record []byte) {
	if h.opener == nil {
		return
	}
	body := record[hello.RecordHeader:]
	if len(body)%h.opener.BlockSize() != 0 {
		return
	}
	h.opener.CryptBlocks(body, body)
	h.sealer.CryptBlocks(body, body)
}
