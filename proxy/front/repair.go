package front

import "bytes"

// repair appends the head to dst with the verdict's fixes applied. Header
// lines keep their order, and their bytes but for the line end.
func (v *verdict) repair(dst, head []byte) []byte {
	dst = append(dst, v.method...)
	dst = append(dst, ' ')
	dst = v.appendTarget(dst)
	dst = appendVersion(dst, v.http10)
	if v.fix&addHost != 0 {
		dst = appendHost(dst, v.host)
	}
	_, rest := cutLine(head)
	for {
		var line []byte
		line, rest = cutLine(rest)
		if len(line) == 0 {
			break
		}
		if !v.drops(line[:bytes.IndexByte(line, ':')], line) {
			dst = append(dst, line...)
			dst = append(dst, "\r\n"...)
		}
	}
	if v.fix&keepAlive != 0 {
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// appendTarget writes the target without userinfo and with raw spaces and
// tabs percent-encoded; every other byte stays as it came.
func (v *verdict) appendTarget(dst []byte) []byte {
	if v.form != absoluteForm {
		return appendEncoded(dst, v.target)
	}
	dst = append(dst, v.scheme...)
	dst = append(dst, v.host...)
	return appendEncoded(dst, v.path)
}

func appendEncoded(dst, b []byte) []byte {
	for {
		i := bytes.IndexAny(b, " \t")
		if i < 0 {
			return append(dst, b...)
		}
		dst = append(dst, b[:i]...)
		if b[i] == ' ' {
			dst = append(dst, "%20"...)
		} else {
			dst = append(dst, "%09"...)
		}
		b = b[i+1:]
	}
}

// drops reports whether the header line is left out of the repaired head.
func (v *verdict) drops(name, line []byte) bool {
	switch {
	case fold(name, "host"):
		return v.fix&dropHost != 0
	case fold(name, "content-length"), fold(name, "transfer-encoding"):
		return v.fix&dropFraming != 0
	case fold(name, "expect"):
		return !fold(trim(line[len(name)+1:]), "100-continue")
	case fold(name, "trailer"):
		return true
	default:
		return false
	}
}

func appendVersion(dst []byte, http10 bool) []byte {
	if http10 {
		return append(dst, " HTTP/1.0\r\n"...)
	}
	return append(dst, " HTTP/1.1\r\n"...)
}

func appendHost(dst, host []byte) []byte {
	dst = append(dst, "Host: "...)
	dst = append(dst, host...)
	return append(dst, "\r\n"...)
}

// maxCarried bounds the path that a stand-in request carries, in bytes.
const maxCarried = 1024

// standIn appends the well-formed request that net/http gets in place of a
// refused head, of which raw is what arrived. It carries method, path, host
// and version where they are safe to carry, so that the answer comes in the
// caller's language, and nothing else: no query, no header, no body.
func standIn(dst, raw, host []byte) []byte {
	line, _ := cutLine(raw)
	if line == nil {
		line = raw
	}
	http10 := len(line) >= 9 && string(line[len(line)-9:]) == " HTTP/1.0"
	mark := len(dst)
	dst = carried(dst, line)
	if len(dst) == mark {
		dst = append(dst, "GET /"...)
	}
	dst = appendVersion(dst, http10)
	if !validAuthority(host, false) {
		host = nil
	}
	dst = appendHost(dst, host)
	return append(dst, "Connection: close\r\n\r\n"...)
}

// carried appends method and target as far as they are safe, or nothing.
func carried(dst, line []byte) []byte {
	sp := bytes.IndexByte(line, ' ')
	if sp <= 0 || sp > maxMethod || !isToken(line[:sp]) {
		return dst
	}
	method, target := line[:sp], line[sp+1:]
	end := bytes.IndexAny(target, " \t?#\r")
	if end < 0 {
		end = 0 // the target's end was not seen: what is there may be cut short
	}
	target = target[:end]
	if string(method) == "CONNECT" {
		if !validAuthority(target, true) {
			return dst
		}
	} else if !carriable(target) {
		target = []byte("/")
	}
	dst = append(dst, method...)
	dst = append(dst, ' ')
	return append(dst, target...)
}

// carriable reports whether target is a path, or an absolute URI without
// userinfo, that passes the front's own judgement.
func carriable(target []byte) bool {
	if len(target) == 0 || len(target) > maxCarried {
		return false
	}
	v := verdict{method: []byte("GET"), target: target}
	v.judgeTarget()
	return v.refusal == nil && v.fix == 0 && v.form != asteriskForm
}
