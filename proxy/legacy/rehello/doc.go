// Package rehello lets crypto/tls, unmodified, serve old clients whose hello
// it refuses: those that frame it as SSL 2.0 did (Java 5 and 6, OpenSSL 0.9.8,
// Internet Explorer 6), and those whose server name ends in a dot.
//
// crypto/tls is handed another hello, made from the client's, and made to
// write its key log to memory. Both sides' Finished messages cover all
// handshake messages, so they would not match; knowing the keys, the
// conversion keeps two transcripts, the client's and that of crypto/tls, and
// replaces the one record in each direction that carries a Finished. For CBC
// suites in TLS 1.0, where each record's IV is the end of the one before, all
// later records are re-chained too. All else passes as it is.
//
// # Threat model
//
// The attacker controls the network: reads, drops, changes and invents bytes
// in both directions, times the answers, and may be the client.
//
// The handshake is as strong as without the conversion. Each Finished is
// compared with the one that the sender's own transcript demands, and only
// then becomes that of the other transcript. A hello changed on the way gives
// the client and us different transcripts, and the client, which gets our
// view of its own, refuses. What crypto/tls sees instead of a Finished that
// does not match is the record as it came, and refuses that.
//
// There is no new oracle. A Finished has one right value, known beforehand
// with its MAC, so the record is compared with it as a whole, in constant
// time; no MAC is computed over, and no padding looked at in, what an attacker
// sent, and the record is decrypted, selected and encrypted again whatever the
// outcome. Later records are decrypted and encrypted under another IV and
// judged by crypto/tls alone, as ever. Records of a wrong size are passed on
// unchanged.
//
// SSL 2.0 framing authenticates no less than TLS framing does, because its
// body is part of the transcript, but it has no extensions: no server name,
// no ephemeral keys, no extended master secret. Such clients are served TLS
// 1.0 with RSA key exchange and AES, 3DES or RC4 with SHA-1, and SSL 2.0 itself
// never. There are no session tickets: the handshake is always a full one.
//
// Secrets stay in memory: the key log's writer keeps the master secret of this
// one connection, and forgets it with the handshake. Buffers hold one record.
// Nothing here logs.
package rehello
