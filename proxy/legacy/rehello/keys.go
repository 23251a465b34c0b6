package rehello

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" // what old clients support
	"crypto/hmac"
	"crypto/md5"  // required by TLS 1.0
	"crypto/rc4"  // only when the operator allows it
	"crypto/sha1" // required by TLS 1.0
	"crypto/tls"
	"hash"
)

const macSize = sha1.Size

// suite describes how the records of a cipher suite are protected. All use
// HMAC-SHA1.
type suite struct {
	key   int
	iv    int // 0 for RC4
	block func(key []byte) (cipher.Block, error)
}

// suiteByID returns a suite if it can be converted.
func suiteByID(id uint16) (suite, bool) {
	switch id {
	case tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA:
		return suite{16, aes.BlockSize, aes.NewCipher}, true
	case tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA:
		return suite{32, aes.BlockSize, aes.NewCipher}, true
	case tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA:
		return suite{24, des.BlockSize, des.NewTripleDESCipher}, true
	case tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA:
		return suite{key: 16}, true
	default:
		return suite{}, false
	}
}

// halves derives and splits the key block (RFC 2246 6.3).
func (s suite) halves(master []byte, client, server [randomSize]byte, version uint16) (in, out half) {
	block := make([]byte, 2*(macSize+s.key+s.iv))
	prf(block, master, "key expansion", append(server[:], client[:]...))
	cut := func(n int) (part []byte) {
		part, block = block[:n:n], block[n:]
		return part
	}
	explicit := version >= tls.VersionTLS11
	in.macKey, out.macKey = cut(macSize), cut(macSize)
	inKey, outKey := cut(s.key), cut(s.key)
	inIV, outIV := cut(s.iv), cut(s.iv)
	in.protect(s, inKey, inIV, explicit)
	out.protect(s, outKey, outIV, explicit)
	return in, out
}

// transcript is the running hash of the handshake messages as one side sees
// them.
type transcript struct{ md5, sha1 hash.Hash }

func newTranscript(hello []byte) *transcript {
	t := &transcript{md5.New(), sha1.New()}
	t.add(hello)
	return t
}

func (t *transcript) add(messages []byte) {
	t.md5.Write(messages)
	t.sha1.Write(messages)
}

const (
	clientFinished = "client finished"
	serverFinished = "server finished"
	finishedSize   = 4 + 12 // header and verify_data
)

// finished returns the Finished message that follows the transcript (RFC 2246
// 7.4.9).
func (t *transcript) finished(master []byte, label string) []byte {
	message := make([]byte, finishedSize)
	message[0], message[3] = 20, 12
	prf(message[4:], master, label, t.sha1.Sum(t.md5.Sum(nil)))
	return message
}

// prf is the pseudo-random function of TLS 1.0 and 1.1 (RFC 2246 5).
func prf(out, secret []byte, label string, seed []byte) {
	labelled := append([]byte(label), seed...)
	half := (len(secret) + 1) / 2
	expand(out, secret[:half], labelled, md5.New)
	expand(out, secret[len(secret)-half:], labelled, sha1.New)
}

// expand XORs P_hash onto out.
func expand(out, secret, seed []byte, hash func() hash.Hash) {
	mac := hmac.New(hash, secret)
	sum := func(parts ...[]byte) []byte {
		mac.Reset()
		for _, p := range parts {
			mac.Write(p)
		}
		return mac.Sum(nil)
	}
	for a := sum(seed); len(out) > 0; a = sum(a) {
		b := sum(a, seed)
		for i := range min(len(b), len(out)) {
			out[i] ^= b[i]
		}
		out = out[min(len(b), len(out)):]
	}
}

// newRC4 returns the key stream of one direction.
func newRC4(key []byte) cipher.Stream {
	stream, err := rc4.NewCipher(key)
	if err != nil {
		panic(err) // the key's size is a constant
	}
	return stream
}
