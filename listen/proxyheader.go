package listen

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"
)

// ProxyProtocol takes a client's address from the PROXY header that a trusted
// peer puts in front of its bytes (versions 1 and 2 of HAProxy's
// proxy-protocol.txt). From such a peer the header must come; from any other it
// is never looked for, and is what its bytes are: no HTTP.
type ProxyProtocol struct {
	From Peers
}

// pieceSize is how much of a header is made room for before it is there.
const pieceSize = 256

// errNoHeader is a peer that did not finish its header in time.
var errNoHeader = errors.New("it did not come in time")

// Read reads the header off a new connection, and not one byte more: conn is
// then as if the client itself had come. It waits until deadline, which it
// clears afterwards. client and local are the ends that the client sees; not
// valid: the connection's own are right (the peer is not trusted, speaks for
// itself, or does not know). An error is one line that says what was wrong;
// io.EOF: the peer left without a byte. Read closes nothing.
func (p ProxyProtocol) Read(conn net.Conn, deadline time.Time) (client, local netip.AddrPort, err error) {
	if !p.From.Has(conn.RemoteAddr()) {
		return client, local, nil
	}
	if err = conn.SetReadDeadline(deadline); err == nil {
		client, local, err = readProxyHeader(conn)
	}
	if err == nil {
		err = conn.SetReadDeadline(time.Time{})
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errNoHeader
	case err == nil, err == io.EOF:
		return client, local, err
	}
	return netip.AddrPort{}, netip.AddrPort{}, fmt.Errorf("bad PROXY header: %w", err)
}

// readProxyHeader asks r for no byte that is not surely in the header.
func readProxyHeader(r io.Reader) (client, local netip.AddrPort, err error) {
	b := make([]byte, 0, pieceSize)
	for {
		h, more, err := parseProxyHeader(b)
		if more == 0 || err != nil {
			return h.client, h.local, err
		}
		if b, err = readMore(r, b, min(more, pieceSize)); err != nil {
			return h.client, h.local, err
		}
	}
}

// readMore appends n bytes to b.
func readMore(r io.Reader, b []byte, n int) ([]byte, error) {
	old := len(b)
	b = append(b, make([]byte, n)...)
	m, err := io.ReadFull(r, b[old:])
	if err == io.EOF && old > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err == io.ErrUnexpectedEOF {
		err = fmt.Errorf("it ends after %d bytes: %w", old+m, err)
	}
	return b, err
}
