// Package sniff looks at the first bytes of a connection to tell what the
// client speaks, so that one port can serve TLS, HTTP and Flash policy
// requests. Looking takes nothing away: whoever reads the connection next
// gets every byte, less the blank lines in front of a request.
package sniff

import (
	"bytes"
	"strconv"
)

// Kind is what a connection's first bytes say it speaks.
type Kind uint8

const (
	// HTTP is a request head, or anything that is none of the other kinds:
	// the HTTP server knows best how to refuse it.
	HTTP Kind = iota
	// TLS is a handshake record (RFC 8446, section 5.1).
	TLS
	// SSLv2 is the hello of a client too old for any TLS.
	SSLv2
	// FlashPolicy is a Flash player asking whom it may connect to.
	FlashPolicy
	// Indented is a request pasted with white space in front of its lines.
	Indented
)

// String names the kind for logs.
func (k Kind) String() string {
	switch k {
	case HTTP:
		return "http"
	case TLS:
		return "tls"
	case SSLv2:
		return "sslv2"
	case FlashPolicy:
		return "flash policy"
	case Indented:
		return "indented"
	}
	return "kind " + strconv.Itoa(int(k))
}

const (
	flashRequest  = "<policy-file-request/>\x00"
	maxBlankLines = 4
)

// Look judges a connection by its first bytes p. It drops up to four blank
// lines (RFC 9112, section 2.2) in front of a request: skip is their length in
// bytes. When more is true, p is too short to tell and kind says nothing;
// once more is false, a longer p gets the same answer. 23 bytes always suffice.
func Look(p []byte) (kind Kind, skip int, more bool) {
	if len(p) == 0 {
		return HTTP, 0, true
	}
	switch p[0] {
	case 0x16:
		return TLS, 0, false
	case 0x80:
		return SSLv2, 0, false
	case flashRequest[0]:
		return lookFlash(p)
	}
	return lookRequest(p)
}

func lookFlash(p []byte) (kind Kind, skip int, more bool) {
	if bytes.HasPrefix(p, []byte(flashRequest)) {
		return FlashPolicy, 0, false
	}
	return HTTP, 0, bytes.HasPrefix([]byte(flashRequest), p)
}

func lookRequest(p []byte) (kind Kind, skip int, more bool) {
	for range maxBlankLines {
		n, more := blankLine(p[skip:])
		if more {
			return HTTP, skip, true
		}
		if n == 0 {
			break
		}
		skip += n
	}
	if skip == len(p) {
		return HTTP, skip, true
	}
	if p[skip] == ' ' || p[skip] == '\t' {
		return Indented, skip, false
	}
	return HTTP, skip, false
}

// blankLine returns the length of the empty line p starts with, or 0.
func blankLine(p []byte) (n int, more bool) {
	switch {
	case len(p) == 0 || len(p) == 1 && p[0] == '\r':
		return 0, true
	case p[0] == '\n':
		return 1, false
	case p[0] == '\r' && p[1] == '\n':
		return 2, false
	}
	return 0, false
}

// PolicyFile is the answer to a FlashPolicy request: pages from anywhere may
// connect to port. It ends with the NUL byte Flash waits for; the connection
// is to be closed after it.
func PolicyFile(port int) []byte {
	return []byte(`<?xml version="1.0"?>` +
		`<cross-domain-policy><allow-access-from domain="*" to-ports="` +
		strconv.Itoa(port) + `"/></cross-domain-policy>` + "\x00")
}
