package target

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Tunnel is a target behind an HTTP proxy (CONNECT, RFC 9110, 9.3.6).
type Tunnel struct {
	Proxy   Target        // the proxy itself
	Address string        // host:port, which the proxy resolves and connects to
	Header  http.Header   // for the proxy, as Proxy-Authorization
	Timeout time.Duration // for the whole; default 10 s
}

// Dial has the proxy connect. A proxy that refuses gives an *Error that wraps a
// *HandshakeError. The caller closes the connection.
func (t Tunnel) Dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Timeout, defaultTimeout))
	defer cancel()
	conn, err := t.Proxy.Dial(ctx)
	if err != nil {
		return nil, t.refused(err)
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	early, err := t.connect(conn)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, t.refused(inTime(ctx, err))
	}
	conn.SetDeadline(time.Time{})
	if len(early) > 0 {
		return &startedConn{conn, early}, nil
	}
	return conn, nil
}

// String names both ends.
func (t Tunnel) String() string { return t.Address + " by proxy " + t.Proxy.String() }

// connect gives what the target sent right behind the proxy's answer.
func (t Tunnel) connect(conn net.Conn) (early []byte, err error) {
	header := t.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("User-Agent", "wsbridge")
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: t.Address}, Host: t.Address, Header: header}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: conn, N: maxHead}
	in := bufio.NewReader(limited)
	answer, err := readAnswer(in, limited, request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode/100 != 2 {
		conn.SetReadDeadline(time.Now().Add(bodyTime))
		limited.N += bodyWire
		return nil, refusal(answer)
	}
	buffered, _ := in.Peek(in.Buffered()) // what is buffered can be had
	return append([]byte(nil), buffered...), nil
}

func (t Tunnel) refused(err error) error {
	var refused *HandshakeError
	if errors.As(err, &refused) {
		return &Error{"proxy refused to connect", t.dialError(errors.New("it answered " + refused.words()))}
	}
	return &Error{"proxy did not connect", t.dialError(err)}
}

func (t Tunnel) dialError(err error) error {
	return &net.OpError{Op: "dial", Net: "proxy " + t.Proxy.String() + " to " + t.Address, Err: err}
}

// startedConn is a connection of which some was read already.
type startedConn struct {
	net.Conn
	early []byte
}

func (c *startedConn) Read(p []byte) (int, error) {
	if len(c.early) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.early)
	c.early = c.early[n:]
	return n, nil
}

// CloseWrite is the connection's own.
func (c *startedConn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// Through is w behind an HTTP proxy, "http://[user:password@]host[:port]" or
// https for TLS to it. A unix socket has no proxy in front.
func (w WebSocket) Through(proxy *url.URL) (WebSocket, error) {
	reach, err := proxyTarget(proxy, w.Timeout)
	if err != nil {
		return w, err
	}
	switch over := w.Over.(type) {
	case TCP:
		w.Over = behind(proxy, reach, over)
	case TLS:
		tcp, ok := over.Over.(TCP)
		if !ok {
			return w, fmt.Errorf("no proxy leads to %s", over.Over)
		}
		over.Over = behind(proxy, reach, tcp)
		w.Over = over
	default:
		return w, fmt.Errorf("no proxy leads to %s", w.Over)
	}
	return w, nil
}

func behind(proxy *url.URL, reach Target, t TCP) Tunnel {
	tunnel := Tunnel{Proxy: reach, Address: t.Address, Timeout: t.Timeout}
	if proxy.User != nil {
		tunnel.Header = http.Header{"Proxy-Authorization": {basic(proxy.User)}}
	}
	return tunnel
}

func proxyTarget(proxy *url.URL, timeout time.Duration) (Target, error) {
	usual, ok := map[string]string{"http": "80", "https": "443"}[proxy.Scheme]
	if !ok {
		return nil, fmt.Errorf("proxy %s: only HTTP proxies can be used: write http://host:port", proxy.Redacted())
	}
	_, address, err := hostAndAddress(proxy, usual)
	if err != nil {
		return nil, fmt.Errorf("proxy %s: %w", proxy.Redacted(), err)
	}
	t := TCP{Address: address, Timeout: timeout}
	if proxy.Scheme == "https" {
		return TLS{Over: t, Timeout: timeout}, nil
	}
	return t, nil
}
