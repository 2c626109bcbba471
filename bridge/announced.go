package bridge

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"time"
)

// announced is a connection of which others know whose it is: the proxy in front,
// or who accepted it.
type announced struct {
	net.Conn
	client, local net.Addr
}

func (c *announced) RemoteAddr() net.Addr { return c.client }
func (c *announced) LocalAddr() net.Addr  { return c.local }
func (c *announced) CloseWrite() error    { return closeWrite(c.Conn) }

// bare is c without the announcement: what a session reads and writes fastest.
func bare(c net.Conn) net.Conn {
	if a, ok := c.(*announced); ok {
		return a.Conn
	}
	return c
}

// announced asks the proxy in front who comes, where there is to be one. nil: it
// says nonsense, or nothing; raw is closed.
func (s *Server) announced(raw net.Conn) net.Conn {
	read := s.now().Announced
	if read == nil {
		return raw
	}
	client, local, err := read(raw, time.Now().Add(s.limits().SniffTimeout))
	switch {
	case errors.Is(err, io.EOF):
		raw.Close()
		return nil
	case err != nil:
		s.counters.add("bad PROXY header") // err has what the peer said
		s.log().Warn("connection refused", "client", raw.RemoteAddr().String(), "reason", err)
		lingerClose(raw)
		return nil
	case !client.IsValid():
		return raw
	}
	a := &announced{Conn: raw, client: net.TCPAddrFromAddrPort(client), local: raw.LocalAddr()}
	if local != (netip.AddrPort{}) {
		a.local = net.TCPAddrFromAddrPort(local)
	}
	return a
}
