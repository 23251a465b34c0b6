package rehello

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1" // TLS 1.0 is made of it
	"crypto/subtle"
)

// half is one direction of a connection.
type half struct {
	sealed  bool // its ChangeCipherSpec went by
	started bool // and one record more
	macKey  []byte

	stream cipher.Stream // RC4, up to the first record
	block  cipher.Block  // else
	// The two chains of TLS 1.0: what the sender's next record begins with,
	// and what the receiver expects it to. Nil where records carry their IV.
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

// swap replaces one Finished by another in a direction's first record, if it
// is there. Whether it is changes nothing that can be observed: the record is
// opened and sealed again either way, and comes out as it was if it did not
// match. Records of impossible size pass unchanged.
func (h *half) swap(record, want, give []byte) {
	body := record[recordHeader:]
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
	body := record[recordHeader:]
	if len(body) != finishedSize+macSize {
		return
	}
	keys := make([]byte, len(body))
	h.stream.XORKeyStream(keys, keys)
	h.stream = nil // both sides' streams go on alike: nothing is left to do
	subtle.XORBytes(body, body, keys)
	h.replace(record, body, want, give)
	subtle.XORBytes(body, body, keys)
}

// replace puts the one Finished with its MAC in place of the other, in
// constant time.
func (h *half) replace(record, plain, want, give []byte) {
	plain = plain[:finishedSize+macSize]
	expected := h.mac(record, want)
	match := subtle.ConstantTimeCompare(plain, expected)
	subtle.ConstantTimeCopy(match, plain, h.mac(record, give))
}

// mac is the message followed by its MAC as a direction's first record (RFC
// 2246 6.2.3.1).
func (h *half) mac(record, message []byte) []byte {
	const sequence = 8
	header := make([]byte, sequence, sequence+recordHeader)
	header = append(header, record[0], record[1], record[2], 0, byte(len(message)))
	mac := hmac.New(sha1.New, h.macKey)
	mac.Write(header)
	mac.Write(message)
	return mac.Sum(append(make([]byte, 0, len(message)+macSize), message...))
}

// rechain moves a record of TLS 1.0 with a CBC suite from the sender's chain
// to the receiver's. Its content is not looked at.
func (h *half) rechain(record []byte) {
	if h.opener == nil {
		return
	}
	body := record[recordHeader:]
	if len(body)%h.opener.BlockSize() != 0 {
		return
	}
	h.opener.CryptBlocks(body, body)
	h.sealer.CryptBlocks(body, body)
}
