package bridge

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	_ "github.com/wsbridge/wsbridge/extendedconnect" // WebSockets over HTTP/2
)

const (
	// maxStreams is of one connection; how many may be sessions, Limits say.
	maxStreams = 1024
	// streamBuffer is what a client may send on one stream ahead of who reads it.
	streamBuffer = 256 << 10
	// stallTimeout is how long a client may take nothing of what is written to
	// its connection before all its streams are given up.
	stallTimeout = 2 * time.Minute
)

// http2Config gives a connection room for all its streams' buffers: a stream
// that nobody reads never holds up another.
func http2Config() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          maxStreams,
		MaxReceiveBufferPerStream:     streamBuffer,
		MaxReceiveBufferPerConnection: maxStreams * streamBuffer,
		MaxReadFrameSize:              16 << 10,
		WriteByteTimeout:              stallTimeout,
		// Who allows old ciphers by TLS's settings allows them.
		PermitProhibitedCipherSuites: true,
	}
}

// protocols is what net/http is to speak: which of it TLS clients are offered,
// Rules.TLS says.
func (s *Server) protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(s.CleartextHTTP2)
	return p
}

// isPreface tells whether a plain client began with HTTP/2, and may not.
func isPreface(r *http.Request) bool { return r.Method == "PRI" && r.ProtoMajor == 2 }

type underKey struct{}

// connContext is for http.Server.ConnContext.
func (s *Server) connContext(ctx context.Context, conn net.Conn) context.Context {
	secure, isTLS := conn.(interface{ ConnectionState() tls.ConnectionState })
	if s.CleartextHTTP2 && !isTLS || isTLS && secure.ConnectionState().NegotiatedProtocol == "h2" {
		ctx = context.WithValue(ctx, underKey{}, conn)
	}
	return withDecision(asker(ctx, conn), conn)
}
