package passthrough

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// exchange is one upgrade on its way: the request to the target, its answer to
// the client. It is the proxy's http.RoundTripper, so that the client's head is
// sent as it came, and so that what is no answer can be told apart.
type exchange struct {
	to     *Target
	r      *http.Request
	client *answerWriter

	conn    net.Conn    // to the target; nil until dialled
	release func() bool // conn is no longer closed when the context ends
	upgrade string      // Upgrade header of an answer that is no 101
	head    []byte      // the 101, as the target wrote it
	join    *join       // nil until the 101
	outcome Outcome
}

// serve runs the proxy. When an answer breaks off the proxy panics, for the
// client must not take it for whole: then the connection is cut instead.
func (x *exchange) serve(proxy *httputil.ReverseProxy, r *http.Request) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			x.outcome.By, x.outcome.Reason = "target", "target broke off its answer"
			if conn, _, err := x.client.control.Hijack(); err == nil {
				conn.Close()
			}
		default:
			panic(p)
		}
	}()
	proxy.ServeHTTP(x.client, r)
}

// RoundTrip sends the client's request and reads the head of the answer. The
// error is a *failure. What the proxy made of the request is not looked at.
func (x *exchange) RoundTrip(proxied *http.Request) (*http.Response, error) {
	began := time.Now()
	conn, err := x.to.dial(x.r.Context())
	x.outcome.Dial = time.Since(began)
	if err != nil {
		return nil, x.explain(x.to.dialFailure(err))
	}
	x.conn = conn
	conn.SetDeadline(time.Now().Add(x.to.headTimeout()))
	x.release = context.AfterFunc(x.r.Context(), func() { conn.Close() })
	if _, err := conn.Write(x.request()); err != nil {
		return nil, x.explain(answerFailure(err, nil))
	}
	in := &incoming{conn: conn, timeout: x.to.headTimeout()}
	res, err := x.answer(in, httptrace.ContextClientTrace(proxied.Context()))
	if err != nil {
		return nil, x.explain(answerFailure(err, in.kept))
	}
	return res, nil
}

// request is the head as the target gets it.
func (x *exchange) request() []byte {
	uri, host := x.r.RequestURI, x.r.Host
	if !strings.HasPrefix(uri, "/") {
		uri = x.r.URL.RequestURI() // it was sent in absolute form
	}
	if x.to.HostTarget {
		host = x.to.host()
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", x.r.Method, x.to.Base+uri, host)
	x.header().Write(&b)
	b.WriteString("\r\n")
	return b.Bytes()
}

// header is the client's, spelled as RFC 6455 has it: some servers compare.
func (x *exchange) header() http.Header {
	header := maps.Clone(x.r.Header)
	if x.to.Forwarded {
		(&httputil.ProxyRequest{In: x.r, Out: &http.Request{Header: header}}).SetXForwarded()
	}
	for name, values := range header {
		if rest, ok := strings.CutPrefix(name, "Sec-Websocket-"); ok {
			delete(header, name)
			header["Sec-WebSocket-"+rest] = values
		}
	}
	return header
}

// answer reads up to the head of the final answer. Interim ones are the
// client's too (RFC 9110, 15.2).
func (x *exchange) answer(in *incoming, trace *httptrace.ClientTrace) (*http.Response, error) {
	for reader := bufio.NewReader(in); ; {
		begin := len(in.kept) - reader.Buffered()
		res, err := http.ReadResponse(reader, x.r)
		switch {
		case err != nil:
			return nil, err
		case res.StatusCode == http.StatusSwitchingProtocols:
			early, _ := reader.Peek(reader.Buffered())
			x.head = in.kept[begin : len(in.kept)-len(early)]
			x.checkAccept(res)
			x.join = newJoin(x.to, x.conn, early)
			res.Body = &x.join.target
			return res, nil
		case res.StatusCode >= 200:
			in.open = true
			x.upgrade = res.Header.Get("Upgrade")
			// Closing what ReadResponse made would read on to the end.
			res.Body = body{res.Body, x.conn}
			return res, nil
		}
		if err := trace.Got1xxResponse(res.StatusCode, textproto.MIMEHeader(res.Header)); err != nil {
			return nil, err
		}
	}
}

type body struct {
	io.Reader
	io.Closer
}

// acceptSuffix is RFC 6455, 1.3.
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// checkAccept warns, once per target, of a handshake that clients refuse.
func (x *exchange) checkAccept(res *http.Response) {
	sum := sha1.Sum([]byte(x.r.Header.Get("Sec-Websocket-Key") + acceptSuffix))
	want := base64.StdEncoding.EncodeToString(sum[:])
	got := res.Header.Values("Sec-Websocket-Accept")
	if len(got) == 1 && got[0] == want || x.to.warned.Swap(true) {
		return
	}
	x.to.log().Warn("target answers the handshake with a wrong Sec-WebSocket-Accept: clients will refuse it",
		"target", x.to.String(), "got", strings.Join(got, ", "), "want", want)
}

// unchanged gives an answer that is no 101 back what the proxy takes from it,
// adds nothing of ours, and has the client's connection closed behind it.
func (x *exchange) unchanged(res *http.Response) error {
	x.outcome.Status = res.StatusCode
	if res.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	x.outcome.By, x.outcome.Reason = "target", "target answered "+res.Status
	res.Header.Set("Connection", "close")
	if x.upgrade != "" {
		res.Header.Set("Upgrade", x.upgrade)
	}
	for _, ours := range []string{"Content-Type", "Date"} {
		if x.client.Header()[ours] == nil {
			x.client.Header()[ours] = nil
		}
	}
	return nil
}

// takeOver makes the client's connection one side of the join and sends it the
// 101 as the target wrote it; what the proxy writes of it goes nowhere.
func (x *exchange) takeOver() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := x.client.control.Hijack()
	if err != nil {
		return nil, nil, err
	}
	x.client.taken = true
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	conn, rest := bare(conn)
	x.join.setClient(conn, slices.Concat(early, rest))
	conn.SetWriteDeadline(time.Now().Add(x.to.headTimeout()))
	if _, err := conn.Write(x.head); err != nil {
		return nil, nil, &failure{by: "client", reason: "client left before the target answered", err: err}
	}
	conn.SetWriteDeadline(time.Time{})
	x.release()
	x.conn.SetDeadline(time.Time{})
	x.head = nil
	x.join.start(x.r.Context())
	return &x.join.client, bufio.NewReadWriter(rw.Reader, bufio.NewWriter(io.Discard)), nil
}

// bare takes off conn what only looked at its first bytes (a *sniff.Conn, say),
// and returns those that are still to be read: the kernel can join sockets only.
func bare(conn net.Conn) (net.Conn, []byte) {
	layer, ok := conn.(interface{ Detach() (net.Conn, []byte) })
	if !ok {
		return conn, nil
	}
	return layer.Detach()
}

// explain puts the end of the client's request before what came of it.
func (x *exchange) explain(f *failure) *failure {
	ctx := x.r.Context()
	switch {
	case ctx.Err() == nil:
		return f
	case errors.Is(context.Cause(ctx), context.Canceled):
		return &failure{by: "client", reason: "client left before the target answered", err: f}
	}
	return &failure{status: http.StatusServiceUnavailable, by: "bridge", reason: "bridge shutting down", err: f}
}

// refuse answers in the target's stead, if there is anybody left to answer.
func (x *exchange) refuse(err error) {
	f, ok := err.(*failure)
	if !ok {
		f = &failure{status: http.StatusBadGateway, reason: "target does not answer as a WebSocket server does", err: err}
	}
	x.outcome.Status, x.outcome.By, x.outcome.Reason = f.status, cmp.Or(f.by, "target"), f.reason
	if f.status == 0 || x.client.taken {
		return
	}
	x.to.log().Warn("upgrade not passed through",
		"client", x.r.RemoteAddr, "target", x.to.String(), "status", f.status, "reason", f.reason, "err", f.err)
	f.answer(x.client)
}

// ended is the outcome, once the proxy is done.
func (x *exchange) ended() Outcome {
	if x.join != nil && x.join.client.Conn != nil && x.outcome.By == "" {
		why := x.join.finish()
		x.outcome.By, x.outcome.Reason = why.by, why.reason
		x.outcome.ToTarget, x.outcome.ToClient = x.join.client.moved.Load(), x.join.target.moved.Load()
	}
	return x.outcome
}

// close closes what is still open.
func (x *exchange) close() {
	if x.conn != nil {
		x.release()
		x.conn.Close()
	}
	if x.join != nil && x.join.client.Conn != nil {
		x.join.client.Close()
	}
}
