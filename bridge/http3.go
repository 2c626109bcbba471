//go:build http3

package bridge

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// ServeHTTP3 serves pages and WebSockets (RFC 9220) over HTTP/3 on a UDP socket,
// with the certificates of Rules.TLS, until Shutdown. It closes the socket.
// Experimental.
func (s *Server) ServeHTTP3(socket net.PacketConn) error {
	s.once.Do(s.start)
	defer socket.Close()
	transport := &quic.Transport{Conn: socket}
	defer transport.Close()
	l, err := transport.Listen(http3.ConfigureTLSConfig(&tls.Config{GetConfigForClient: s.tlsNow}), http3Config())
	if err != nil {
		return err
	}
	server := &http3.Server{Handler: http.HandlerFunc(s.serveHTTP3), MaxHeaderBytes: headBytes, IdleTimeout: idleTimeout}
	ended := make(chan struct{})
	s.web.RegisterOnShutdown(sync.OnceFunc(func() {
		server.Close()
		close(ended)
	}))
	s.accept3(l, server)
	<-ended
	return ErrServerClosed
}

// http3Config is as bounded as http2Config.
func http3Config() *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:           Limits{}.withDefaults().HeaderTimeout,
		MaxIdleTimeout:                 idleTimeout,
		KeepAlivePeriod:                idleTimeout / 4,
		InitialStreamReceiveWindow:     streamBuffer,
		MaxStreamReceiveWindow:         streamBuffer,
		InitialConnectionReceiveWindow: maxStreams * streamBuffer,
		MaxConnectionReceiveWindow:     maxStreams * streamBuffer,
		MaxIncomingStreams:             maxStreams,
	}
}

// accept3 serves connections until the bridge accepts no more.
func (s *Server) accept3(l *quic.Listener, server *http3.Server) {
	for {
		conn, err := l.Accept(s.open)
		if err != nil {
			return
		}
		p, crowded := s.places.enter(conn.RemoteAddr().String(), s.limits().connections)
		if crowded {
			p.leave()
			conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), "too many connections")
			continue
		}
		serve := func() {
			server.ServeQUICConn(conn)
			p.leave()
		}
		if !s.fronts.start(serve) {
			conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), endShutdown.reason)
			p.leave()
		}
	}
}

// tlsNow is Rules.TLS for HTTP/3.
func (s *Server) tlsNow(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	config := s.now().TLS
	if config == nil {
		return nil, errors.New("no certificate is configured")
	}
	if config.GetConfigForClient != nil {
		now, err := config.GetConfigForClient(hello)
		if err != nil {
			return nil, err
		}
		if now != nil {
			config = now
		}
	}
	config = config.Clone()
	config.NextProtos = []string{http3.NextProtoH3}
	return config, nil
}

// serveHTTP3 makes of a request what net/http makes of one over HTTP/2.
func (s *Server) serveHTTP3(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect && r.Proto != "HTTP/3.0" {
		r.Header[protocolHeader] = []string{r.Proto}
		r.Proto = "HTTP/3.0"
	}
	r.Body = &body3{ReadCloser: r.Body}
	s.serveHTTP(w, r)
}

// body3 is a request's body as a lane needs it: a read of no bytes waits for
// some. It is used by one at a time.
type body3 struct {
	io.ReadCloser
	room  [4 << 10]byte
	ahead []byte // in room
	err   error
}

func (b *body3) Read(p []byte) (int, error) {
	switch {
	case len(b.ahead) > 0 || b.err != nil:
	case len(p) > 0:
		n, err := b.ReadCloser.Read(p)
		return n, reset3(err)
	default:
		n, err := b.ReadCloser.Read(b.room[:])
		b.ahead, b.err = b.room[:n], reset3(err)
	}
	if len(b.ahead) == 0 {
		return 0, b.err
	}
	n := copy(p, b.ahead)
	b.ahead = b.ahead[n:]
	return n, nil
}

// reset3 makes of a stream's reset by the client what it is over HTTP/2.
func reset3(err error) error {
	var reset *http3.Error
	if errors.As(err, &reset) && reset.Remote {
		return streamError{Cause: err}
	}
	return err
}
