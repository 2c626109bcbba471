package target

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// ProxyHeader tells a target who its client is, before the client's first byte:
// a PROXY header, as HAProxy's proxy-protocol.txt has it.
type ProxyHeader struct {
	Version     int            // 1, a line of text, or 2
	Source      netip.AddrPort // the client; not valid: not known, and then the header says so
	Destination netip.AddrPort // where the client connected to; not valid: not known
	// TLS is what the client's connection was secured by, which only version 2
	// tells; nil: by nothing.
	TLS *tls.ConnectionState
}

// ProxyHeaderFor is the header of a session that begins with r. Its client is
// r.RemoteAddr, its destination what net/http left in the context.
func ProxyHeaderFor(r *http.Request, version int) ProxyHeader {
	h := ProxyHeader{Version: version, TLS: r.TLS}
	h.Source, _ = netip.ParseAddrPort(r.RemoteAddr)
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		h.Destination = local.AddrPort()
	}
	return h
}

// Before is t with the header in front of every other byte, those of TLS
// included. Each session has a header of its own, and so a target of its own.
func (h ProxyHeader) Before(t Target) Target {
	secure, ok := t.(TLS)
	if !ok {
		return announced{t, h}
	}
	if config, err := secure.config(); err == nil { // else Dial says what is wrong
		secure.Config = config
	}
	secure.Over = h.Before(secure.Over)
	return secure
}

// announced writes a header to what it dials.
type announced struct {
	Target
	header ProxyHeader
}

func (a announced) Dial(ctx context.Context) (net.Conn, error) {
	conn, err := a.Target.Dial(ctx)
	if err != nil {
		return nil, err
	}
	if until, ok := ctx.Deadline(); ok {
		conn.SetWriteDeadline(until)
	}
	_, err = conn.Write(a.header.AppendTo(nil))
	conn.SetWriteDeadline(time.Time{})
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("send PROXY header: %w", err)
	}
	return conn, nil
}

// AppendTo appends the header to b. It is at most 107 bytes in version 1; in
// version 2 names that the client chose make it longer, up to a kilobyte.
func (h ProxyHeader) AppendTo(b []byte) []byte {
	source, destination := sameFamily(h.Source, h.Destination)
	if h.Version == 1 {
		return appendLine(b, source, destination)
	}
	start := len(b)
	b = append(b, "\r\n\r\n\x00\r\nQUIT\n"...)
	if source.IsValid() {
		family := byte(0x11)
		if source.Addr().Is6() {
			family = 0x21
		}
		b = append(b, 0x21, family, 0, 0) // PROXY
		b = appendEnds(b, source, destination)
	} else {
		b = append(b, 0x20, 0, 0, 0) // LOCAL
	}
	if h.TLS != nil && source.IsValid() {
		b = appendTLS(b, h.TLS)
	}
	binary.BigEndian.PutUint16(b[start+14:], uint16(len(b)-start-16))
	return b
}

// sameFamily is both ends as IPv4 or, if one has no other form, as IPv6. An end
// that is not known is all zeros, as long as the source is.
func sameFamily(source, destination netip.AddrPort) (s, d netip.AddrPort) {
	if !source.IsValid() {
		return source, source
	}
	from, to := source.Addr().Unmap().WithZone(""), destination.Addr().Unmap().WithZone("")
	switch {
	case !destination.IsValid() && from.Is4():
		to = netip.IPv4Unspecified()
	case !destination.IsValid():
		to = netip.IPv6Unspecified()
	case from.Is4() != to.Is4():
		from, to = netip.AddrFrom16(from.As16()), netip.AddrFrom16(to.As16())
	}
	return netip.AddrPortFrom(from, source.Port()), netip.AddrPortFrom(to, destination.Port())
}

func appendLine(b []byte, source, destination netip.AddrPort) []byte {
	if !source.IsValid() {
		return append(b, "PROXY UNKNOWN\r\n"...)
	}
	family := "TCP4"
	if source.Addr().Is6() {
		family = "TCP6"
	}
	return fmt.Appendf(b, "PROXY %s %s %s %d %d\r\n", family, source.Addr(), destination.Addr(), source.Port(), destination.Port())
}

func appendEnds(b []byte, source, destination netip.AddrPort) []byte {
	b = append(b, source.Addr().AsSlice()...)
	b = append(b, destination.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, source.Port())
	return binary.BigEndian.AppendUint16(b, destination.Port())
}

// Kinds of TLV (proxy-protocol.txt, 2.2).
const (
	typeALPN       = 0x01
	typeAuthority  = 0x02
	typeSSL        = 0x20
	typeSSLVersion = 0x21
	typeSSLCN      = 0x22
	typeSSLCipher  = 0x23

	clientSSL      = 0x01 // came by TLS
	clientCertConn = 0x02 // and showed a certificate in this connection
	clientCertSess = 0x04 // or in the session it goes on with
)

// maxTLV bounds what is told of names that others chose.
const maxTLV = 255

func appendTLS(b []byte, s *tls.ConnectionState) []byte {
	b = appendTLV(b, typeALPN, s.NegotiatedProtocol)
	b = appendTLV(b, typeAuthority, s.ServerName)
	flags, unverified, name := byte(clientSSL), uint32(1), ""
	if len(s.PeerCertificates) > 0 {
		flags |= clientCertSess
		if !s.DidResume {
			flags |= clientCertConn
		}
		name = s.PeerCertificates[0].Subject.CommonName
		if len(s.VerifiedChains) > 0 {
			unverified = 0
		}
	}
	value := binary.BigEndian.AppendUint32([]byte{flags}, unverified)
	value = appendTLV(value, typeSSLVersion, strings.Replace(tls.VersionName(s.Version), "TLS 1.", "TLSv1.", 1))
	value = appendTLV(value, typeSSLCN, name)
	value = appendTLV(value, typeSSLCipher, tls.CipherSuiteName(s.CipherSuite))
	return appendTLV(b, typeSSL, string(value))
}

// appendTLV appends nothing for an empty value, and for one that is too long.
func appendTLV(b []byte, kind byte, value string) []byte {
	if value == "" || kind != typeSSL && len(value) > maxTLV {
		return b
	}
	b = append(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}
