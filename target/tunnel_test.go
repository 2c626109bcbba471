package target

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// proxy is an HTTP proxy that connects, whatever name it is told, to address.
func proxy(t *testing.T, address string, told chan<- *http.Request) *url.URL {
	front := start(t, func(c net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		told <- request
		back, err := net.Dial("tcp", address)
		if err != nil {
			io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
			return
		}
		defer back.Close()
		io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() {
			io.Copy(back, c)
			back.(*net.TCPConn).CloseWrite()
		}()
		io.Copy(c, back)
	})
	return &url.URL{Scheme: "http", Host: front, User: url.UserPassword("ann", "secret")}
}

func TestTunnelOfTLS(t *testing.T) {
	ours := issue(t, "mill.example", nil, nextYear())
	address := startTLS(t, &tls.Config{Certificates: []tls.Certificate{ours.pair()}}, answer(switching+"\r\nhi"))
	told := make(chan *http.Request, 1)
	w, err := ParseWebSocket("wss://mill.example:7078/", Options{TLS: &tls.Config{RootCAs: ours.pool()}})
	check(t, err)
	w, err = w.Through(proxy(t, address, told))
	check(t, err)
	up, err := w.Dial(t.Context())
	check(t, err)
	defer up.Conn.Close()
	request := <-told
	if request.Method != "CONNECT" || request.RequestURI != "mill.example:7078" || request.Host != "mill.example:7078" {
		t.Errorf("asked: %s %s of %s", request.Method, request.RequestURI, request.Host)
	}
	if got := request.Header.Get("Proxy-Authorization"); got != "Basic YW5uOnNlY3JldA==" {
		t.Errorf("Proxy-Authorization: %q", got)
	}
	if rest, err := io.ReadAll(up.Conn); string(up.Early)+string(rest) != "hi" || err != nil {
		t.Errorf("got %q and %q, %v", up.Early, rest, err)
	}
}

// A target that speaks first may be heard together with the proxy.
func TestTunnelEarly(t *testing.T) {
	address := start(t, func(c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\nRFB 003.008\n")
		io.Copy(c, c)
	})
	c, err := Tunnel{Proxy: TCP{Address: address}, Address: "desk:5900"}.Dial(t.Context())
	check(t, err)
	defer c.Close()
	io.WriteString(c, "RFB")
	check(t, c.(interface{ CloseWrite() error }).CloseWrite())
	if got, err := io.ReadAll(c); string(got) != "RFB 003.008\nRFB" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTunnelRefused(t *testing.T) {
	tests := []struct{ answer, reason, text string }{
		{"HTTP/1.1 407 Who\r\n\r\n", "proxy refused to connect", "it answered 407 Proxy Authentication Required"},
		{"SSH-2.0-x\r\n", "proxy did not connect", `it answers "SSH-2.0-x`},
		{"", "proxy did not connect", "EOF"},
	}
	for _, tt := range tests {
		address := start(t, answer(tt.answer))
		_, err := Tunnel{Proxy: TCP{Address: address}, Address: "h:1"}.Dial(t.Context())
		if hasReason(t, err, tt.reason); err == nil || !strings.Contains(err.Error(), tt.text) || !strings.Contains(err.Error(), address) {
			t.Errorf("%v, want %q and %s in it", err, tt.text, address)
		}
	}
	silent := start(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	_, err := Tunnel{Proxy: TCP{Address: silent}, Address: "h:1", Timeout: time.Millisecond}.Dial(t.Context())
	hasReason(t, err, "proxy did not connect")
	if !isTimeout(err) {
		t.Errorf("%v hides that time ran out", err)
	}
}

func TestThroughMistakes(t *testing.T) {
	tests := []struct{ url, proxy, want string }{
		{"ws://h/", "socks5://ann:secret@p:1", "only HTTP proxies can be used: write http://host:port"},
		{"ws://h/", "http://:1", "the host is missing"},
		{"ws+unix:/x:/", "http://p:1", "no proxy leads to unix:/x"},
	}
	for _, tt := range tests {
		w, err := ParseWebSocket(tt.url, Options{})
		check(t, err)
		p, err := url.Parse(tt.proxy)
		check(t, err)
		if _, err := w.Through(p); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s through %s: %v, want %q in it", tt.url, tt.proxy, err, tt.want)
		}
	}
}
