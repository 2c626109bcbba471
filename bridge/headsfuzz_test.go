package bridge

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is answered without the HTTP server is what that would have handed on, and
// nothing that it would have refused; what is refused without it, it refuses.
func FuzzHeads(f *testing.F) {
	for _, seed := range []string{
		request() + "rest", request("X: y", "Connection: close"), request("X : y"), request("Content-Length: 0"),
		request("Transfer-Encoding: identity"), "GET /a%20b?c HTTP/2.0\r\nHost: [::1]:80\r\n\r\n", "GET /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
		request("Expect: 0"), request("Host: other"), request("no colon"), request("Content-Length: 1", "Content-Length: 2"), "GET /%zz HTTP/1.1\n\n",
	} {
		f.Add([]byte(seed))
	}
	var h heads
	f.Fuzz(func(t *testing.T, p []byte) {
		if fault := faultOf(p); fault != "" {
			if r, answer := byNetHTTP(t, p[:headEnd(p)]); r != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) {
				t.Errorf("%q: %s; net/http says %.60q", p, fault, answer)
			}
		}
		r, rest := h.read(p)
		if r == nil {
			return
		}
		if len(rest) > len(p) || !bytes.HasSuffix(p, rest) {
			t.Errorf("%q is not the rest of %q", rest, p)
		}
		want, answer := byNetHTTP(t, p[:len(p)-len(rest)])
		if want == nil {
			t.Fatalf("%q: net/http says %.60q", p, answer)
		}
		if diff := cmp.Diff(seenOf(want), seenOf(r)); diff != "" {
			t.Errorf("%q: (-net/http +direct)\n%s", p, diff)
		}
	})
}

// seen is what a Route may look at.
type seen struct {
	Method, URI, Path, Query, Host, Proto string
	Header                                http.Header
	Length                                int64
}

func seenOf(r *http.Request) seen {
	return seen{r.Method, r.RequestURI, r.URL.Path, r.URL.RawQuery, r.Host, r.Proto, r.Header, r.ContentLength}
}

// byNetHTTP is the request that a handler sees; nil: there is an answer instead.
func byNetHTTP(t *testing.T, head []byte) (r *http.Request, answer []byte) {
	near, far := net.Pipe()
	closed := make(chan struct{})
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, got *http.Request) { r = got; w.Header().Set("Connection", "close") }),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				close(closed)
			}
		},
	}
	l := &oneConn{conn: far, done: make(chan struct{})}
	go server.Serve(l)
	defer server.Close()
	go near.Write(head)
	answer, err := io.ReadAll(near)
	if err != nil {
		t.Error(err)
	}
	near.Close()
	<-closed
	return r, answer
}

// oneConn is a listener with one visitor.
type oneConn struct {
	conn net.Conn
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { close(l.done); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
