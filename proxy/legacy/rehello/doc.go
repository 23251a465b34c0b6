// Package rehello lets an unmodified crypto/tls serve old clients whose hello it
// refuses: those with SSL 2.0 framing (Java 5 and 6, OpenSSL 0.9.8, Internet
// Explorer 6), and those whose server name ends in a dot.
//
// crypto/tls gets a synthetic hello, made from the client's, and writes its key log
// to memory. Finished messages cover all handshake messages, so those of the two
// sides would not match. With the keys, the conversion keeps two transcripts, the
// client's and that of crypto/tls, and replaces the one record in each direction
// that carries a Finished. For CBC suites in TLS 1.0, each record's IV is the last
// block of the previous record, so all later records are re-chained too. Everything
// else passes unchanged.
//
// # Threat model
//
// The attacker controls the network: it reads, drops, changes and injects bytes in
// both directions, measures response times, and may be the client.
//
// The handshake is as strong as without the conversion. Each Finished is
// compared with the one that the sender's transcript requires, and is replaced with
// that of the other transcript only if they match. If an attacker changes the
// hello, the client and the conversion have different transcripts. The client then
// gets a Finished for the latter, and refuses it. If a client's Finished does not
// match, crypto/tls gets the record as it arrived and refuses it.
//
// There is no new oracle. A Finished has one correct value, known in advance
// together with its MAC, so the decrypted record is compared with it as a whole, in
// constant time. No MAC is computed over attacker data, and its padding is not
// examined. The record is decrypted, selected and encrypted again whatever the
// result. Later records are decrypted and encrypted under another IV, and only
// crypto/tls validates them, as usual. Records of a wrong size pass unchanged.
//
// SSL 2.0 framing authenticates as much as TLS framing does, because the body is
// part of the transcript. But it has no extensions, so there is no server name, no
// ephemeral key and no extended master secret. Such clients are served TLS 1.0 with
// RSA key exchange and AES, 3DES or RC4 with SHA-1, and never SSL 2.0 itself. There
// are no session tickets, so every handshake is a full one.
//
// Secrets stay in memory: the key log's writer keeps the master secret of its one
// connection, and clears it at the end of the handshake. Buffers hold one record.
// Nothing in this package logs.
package rehello
