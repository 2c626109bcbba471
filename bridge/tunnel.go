package bridge

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
)

// An extended CONNECT (RFC 8441, for HTTP/3 RFC 9220) asks over HTTP/2 for what an upgrade asks for
// over HTTP/1.1. It is made one here, and its answer is made a CONNECT's, so
// that everybody behind knows of upgrades only.

// isTunnel tells whether r is an extended CONNECT, for whatever protocol.
func isTunnel(r *http.Request) bool {
	return r.ProtoMajor >= 2 && r.Method == http.MethodConnect && r.Header[protocolHeader] != nil
}

// protocolHeader is where net/http puts the pseudo-header field.
const protocolHeader = ":protocol"

// tunnel answers an extended CONNECT, and returns when all is over: net/http
// ends a stream with its handler.
func (s *Server) tunnel(w http.ResponseWriter, r *http.Request) {
	t := &tunnel{ResponseWriter: w, request: r, closing: s.open.Err() != nil}
	if refusal := checkTunnel(r); refusal != nil {
		s.refuse(t, r, refusal)
		return
	}
	s.upgrade(t, asUpgrade(r))
	t.finish()
}

// checkTunnel holds an extended CONNECT against what it has other than an upgrade.
func checkTunnel(r *http.Request) *Refusal {
	switch {
	case r.Header.Get(protocolHeader) != "websocket":
		return &Refusal{Status: http.StatusNotImplemented, Reason: "the only :protocol spoken here is websocket"}
	case r.ContentLength != -1:
		return badUpgrade("the stream of a WebSocket must be open, and its length not known")
	}
	return nil
}

// asUpgrade is r as HTTP/1.1 would have it (RFC 8441, 5).
func asUpgrade(r *http.Request) *http.Request {
	up := r.Clone(r.Context())
	up.Method, up.Body, up.ContentLength = http.MethodGet, http.NoBody, 0
	delete(up.Header, protocolHeader)
	up.Header["Connection"] = []string{"Upgrade"}
	up.Header["Upgrade"] = []string{"websocket"}
	up.Header["Sec-Websocket-Key"] = []string{newKey()}
	return up
}

func newKey() string {
	var nonce [16]byte
	rand.Read(nonce[:])
	return base64.StdEncoding.EncodeToString(nonce[:])
}

// tunnel is the client of an extended CONNECT, to who answers upgrades.
type tunnel struct {
	http.ResponseWriter
	request *http.Request // as it came
	closing bool          // the client is to go elsewhere with what it asks next
	lane    *lane         // nil until somebody took it over
	head    answerHead
}

// WriteHeader leaves out what HTTP/2 has no place for (RFC 9113, 8.2.2). To
// net/http "Connection: close" is to say GOAWAY, and to let live streams end.
func (t *tunnel) WriteHeader(status int) {
	header := t.Header()
	for _, name := range []string{"Connection", "Upgrade", "Keep-Alive", "Transfer-Encoding", "Sec-Websocket-Accept"} {
		delete(header, name)
	}
	if t.closing {
		header["Connection"] = []string{"close"}
	}
	t.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (t *tunnel) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// Hijack is the stream as a connection. An answer of HTTP/1.1 is to be written
// first.
func (t *tunnel) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if t.lane != nil {
		return nil, nil, http.ErrHijacked
	}
	t.lane = newLane(&answering{t}, t.request)
	go t.lane.attend()
	return t.lane, bufio.NewReadWriter(bufio.NewReader(t.lane), bufio.NewWriter(t.lane)), nil
}

// finish ends the request once whoever took it over is done with it. An answer
// that never was one, or that was broken off, is a reset: nobody may take it for
// whole.
func (t *tunnel) finish() {
	if t.lane == nil {
		return
	}
	t.lane.finish()
	if !t.head.done {
		panic(http.ErrAbortHandler)
	}
}

// answering writes an answer of HTTP/1.1 as one of HTTP/2.
type answering struct{ *tunnel }

func (a *answering) Write(p []byte) (int, error) {
	if a.head.done {
		return a.ResponseWriter.Write(p)
	}
	answer, rest, err := a.head.take(p)
	if answer == nil {
		return len(p), err
	}
	maps.Copy(a.Header(), answer.Header)
	status := answer.StatusCode
	if status == http.StatusSwitchingProtocols {
		status = http.StatusOK
		a.Header().Del("Content-Length")
	}
	a.WriteHeader(status)
	if len(rest) > 0 {
		_, err = a.ResponseWriter.Write(rest)
	}
	return len(p), err
}

// FlushError is for http.ResponseController. Half a head is not flushed: it would
// be an answer.
func (a *answering) FlushError() error {
	if !a.head.done {
		return nil
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// answerHead gathers the head of an answer.
type answerHead struct {
	bytes []byte
	done  bool
}

// answerBytes bounds it; a relay's target has its own bound below this one.
const answerBytes = 64 << 10

// take returns the answer with the piece that completes it, and what follows.
func (h *answerHead) take(p []byte) (answer *http.Response, rest []byte, err error) {
	h.bytes = append(h.bytes, p...)
	end := bytes.Index(h.bytes, []byte("\r\n\r\n")) + 4
	switch {
	case end < 4 && len(h.bytes) > answerBytes:
		return nil, nil, errors.New("the head of the answer does not end")
	case end < 4:
		return nil, nil, nil
	}
	answer, err = http.ReadResponse(bufio.NewReader(io.LimitReader(bytes.NewReader(h.bytes), int64(end))), nil)
	if err != nil {
		return nil, nil, err
	}
	rest = h.bytes[end:]
	h.bytes, h.done = nil, true
	return answer, rest, nil
}
