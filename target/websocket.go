package target

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	maxHead  = 32 << 10 // of an answer's head
	maxBody  = 512      // kept of the body of a refusal
	bodyWire = 4 << 10  // read for it, chunk headers included
	bodyTime = time.Second
)

// WebSocket is a server that speaks WebSocket (RFC 6455). ParseWebSocket makes
// one of a URL.
type WebSocket struct {
	Over Target // how the server is reached: TCP or Unix for ws, TLS for wss
	Host string // the Host header
	Path string // with its query, as a URL has them; "": /
	// Header is sent besides what the handshake needs, which wins.
	Header http.Header
	// Subprotocols are offered exactly as given, tokens or not.
	Subprotocols []string
	// Extensions are offered; who offers one has to carry it.
	Extensions []string
	Timeout    time.Duration // for connection and handshake; default 10 s
}

// Upgraded is a connection after its opening handshake.
type Upgraded struct {
	Conn        net.Conn    // as Over made it; the caller closes it
	Early       []byte      // what the server sent behind its answer: read it first
	Subprotocol string      // one of those offered, or "": the server chose none
	Header      http.Header // of the server's answer
}

// Dial connects and does the opening handshake (RFC 6455, 4.1). A server that
// answers, but not as it should, gives a *HandshakeError, one that does not even
// speak HTTP an *Error; both are ErrUpgrade too. The caller closes the
// connection.
func (w WebSocket) Dial(ctx context.Context) (*Upgraded, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(w.Timeout, defaultTimeout))
	defer cancel()
	conn, err := w.Over.Dial(ctx)
	if err != nil {
		return nil, tellPlain(err)
	}
	up, err := w.Upgrade(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return up, nil
}

// ErrUpgrade is every error of the opening handshake, to errors.Is: the server
// was reached, by TLS if so wanted.
var ErrUpgrade = errors.New("upgrade failed")

type upgradeError struct{ cause error }

func (e *upgradeError) Error() string        { return e.cause.Error() }
func (e *upgradeError) Unwrap() error        { return e.cause }
func (e *upgradeError) Is(target error) bool { return target == ErrUpgrade }

// Upgrade does the opening handshake on conn, which stays the caller's. Only
// ctx bounds it. It reads nothing of conn that is not in the answer or in Early.
func (w WebSocket) Upgrade(ctx context.Context, conn net.Conn) (*Upgraded, error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	up, err := w.handshake(conn)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, &upgradeError{inTime(ctx, err)}
	}
	conn.SetDeadline(time.Time{})
	return up, nil
}

// String names the server in logs, without a query, which may hold secrets.
func (w WebSocket) String() string {
	scheme := "ws://"
	if _, secure := w.Over.(TLS); secure {
		scheme = "wss://"
	}
	path, _, _ := strings.Cut(cmp.Or(w.Path, "/"), "?")
	if u, ok := w.Over.(Unix); ok {
		return "ws+" + u.String() + ":" + path
	}
	return scheme + w.Host + path
}

func (w WebSocket) handshake(conn net.Conn) (*Upgraded, error) {
	key := newKey()
	request, err := w.request(key)
	if err != nil {
		return nil, &Error{"target cannot be asked for an upgrade", err}
	}
	if err := request.Write(conn); err != nil {
		return nil, brokenOff(err)
	}
	limited := &io.LimitedReader{R: conn, N: maxHead}
	in := bufio.NewReader(limited)
	answer, err := readAnswer(in, limited, request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		conn.SetReadDeadline(time.Now().Add(bodyTime))
		limited.N += bodyWire
		return nil, refusal(answer)
	}
	if err := w.accepted(answer.Header, key); err != nil {
		return nil, &HandshakeError{Status: answer.StatusCode, Header: answer.Header, Fault: err}
	}
	early, _ := in.Peek(in.Buffered()) // what is buffered can be had
	return &Upgraded{
		Conn:        conn,
		Early:       append([]byte(nil), early...),
		Subprotocol: answer.Header.Get("Sec-WebSocket-Protocol"),
		Header:      answer.Header,
	}, nil
}

// request is the opening handshake (RFC 6455, 4.1).
func (w WebSocket) request(key string) (*http.Request, error) {
	u, err := url.ParseRequestURI(cmp.Or(w.Path, "/"))
	if err != nil {
		return nil, err
	}
	header := w.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Upgrade", "websocket")
	header.Set("Connection", "Upgrade")
	header.Set("Sec-WebSocket-Version", "13")
	header.Set("Sec-WebSocket-Key", key)
	offer(header, "Sec-WebSocket-Protocol", w.Subprotocols)
	offer(header, "Sec-WebSocket-Extensions", w.Extensions)
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", "wsbridge")
	}
	return &http.Request{Method: http.MethodGet, URL: u, Host: w.Host, Header: header}, nil
}

func offer(header http.Header, name string, offered []string) {
	header.Del(name)
	if len(offered) > 0 {
		header.Set(name, strings.Join(offered, ", "))
	}
}

func newKey() string {
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails
	return base64Encode(nonce[:])
}

// readAnswer reads the head of an answer, past those that only announce one
// (RFC 9110, 15.2).
func readAnswer(in *bufio.Reader, limited *io.LimitedReader, request *http.Request) (*http.Response, error) {
	if first, err := in.Peek(1); err != nil {
		return nil, brokenOff(err)
	} else if first[0] == recordAlert || first[0] == recordHandshake {
		return nil, &Error{"target speaks TLS", errors.New("it answers plain HTTP with a TLS record: write wss://")}
	}
	start, _ := in.Peek(min(in.Buffered(), 16))
	got := string(start)
	for {
		answer, err := http.ReadResponse(in, request)
		switch {
		case err != nil && limited.N <= 0:
			return nil, &Error{"target answers without end", fmt.Errorf("the head of its answer has more than %d bytes", maxHead)}
		case err != nil && (isTimeout(err) || !strings.HasPrefix(got, "HTTP/")):
			return nil, notHTTP(err, got)
		case err != nil:
			return nil, brokenOff(err)
		case answer.StatusCode >= 200 || answer.StatusCode == http.StatusSwitchingProtocols:
			return answer, nil
		}
	}
}

// The content types of TLS records (RFC 8446, 5.1) that begin no HTTP answer.
const (
	recordAlert     = 0x15
	recordHandshake = 0x16
)

func notHTTP(err error, got string) error {
	if isTimeout(err) {
		return err
	}
	return &Error{"target does not speak HTTP", fmt.Errorf("it answers %q", got)}
}

// brokenOff is a connection that ended instead of bringing an answer. Errors
// with words of their own, and time running out, stay as they are.
func brokenOff(err error) error {
	var known *Error
	if isTimeout(err) || errors.As(err, &known) {
		return err
	}
	return &Error{"target broke off the upgrade", err}
}

// inTime gives the end of ctx as the reason, if it was: it is a timeout or a
// cancellation, as package net has them.
func inTime(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && isTimeout(err) {
		return fmt.Errorf("no answer to the handshake: %w", cause)
	}
	return err
}

// tellPlain shows what a server that does not speak TLS said instead.
func tellPlain(err error) error {
	var plain tls.RecordHeaderError
	if !errors.As(err, &plain) || plain.Conn == nil {
		return err
	}
	return &Error{"target does not speak TLS", fmt.Errorf("it answers %q: write ws://, or mend the server: %w", plain.RecordHeader[:], err)}
}
