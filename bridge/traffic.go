package bridge

import (
	"io"
	"net"
)

// glyphs are websockify's marks for one side's traffic.
type glyphs struct{ read, write string }

var (
	clientGlyphs = glyphs{read: "}", write: "<"}
	targetGlyphs = glyphs{read: "{", write: ">"}
)

// tap shows a side's traffic when the server is asked to.
func (s *Server) tap(c net.Conn, g glyphs) net.Conn {
	if s.Traffic == nil {
		return c
	}
	return &shown{c, g, s.Traffic}
}

// shown writes a glyph for every read and every write of a connection; a "."
// marks a write that was cut short.
type shown struct {
	net.Conn
	glyphs glyphs
	to     io.Writer
}

func (c *shown) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		io.WriteString(c.to, c.glyphs.read)
	}
	return n, err
}

func (c *shown) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	glyph := c.glyphs.write
	if n < len(p) {
		glyph += "."
	}
	io.WriteString(c.to, glyph)
	return n, err
}

// CloseWrite keeps the half-close of what is shown.
func (c *shown) CloseWrite() error { return closeWrite(c.Conn) }
