//go:build linux

package main

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// client is a talk's client: it says all it has to, holds what it hears against
// what was sent, and sees the session end as it must.
func (r *rig) client(ctx context.Context, t *talk) error {
	conn, err := r.way.dial(ctx, r, r.subprotocol(t))
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	p := r.clientPeer(t, lively{conn})
	defer r.add(p)
	begin := func() error { return nil }
	if !r.way.upgraded {
		request := newRequest(r.bridge.address, r.subprotocol(t), r.coding.extension(), p.speaker)
		p.speaker.out = request.text()
		begin = func() error { return request.answered(p.listener.frames.r) }
		if !t.early {
			if err := p.speaker.flush(); err != nil {
				return err
			}
		}
	}
	if err := r.clientTalk(p, begin); err != nil {
		return fmt.Errorf("at the client: %w", err)
	}
	return nil
}

func (r *rig) clientTalk(p *peer, begin func() error) error {
	if !p.talk.early {
		if err := begin(); err != nil {
			p.talk.sent[toTarget] <- nil
			return err
		}
		begin = func() error { return nil }
	}
	got, err := p.run(begin)
	if wrong := p.judge(got, r.lastWord(p.talk)); wrong != nil {
		return wrong
	}
	if err == nil {
		err = p.listener.end()
	}
	// Who has read a Close need not answer what came before it (RFC 6455, 5.5.2).
	if err == nil && p.talk.ending != targetCloses && p.talk.ending != clientCloses && p.speaker.pings.open() > 0 {
		err = fmt.Errorf("%d pings had no answer, the last among them", p.speaker.pings.open())
	}
	if err != nil {
		return err
	}
	return p.verdict()
}

// lastWord is what the side that closes a talk says to the client.
func (r *rig) lastWord(t *talk) closing {
	if t.ending == targetCloses && r.landing != toServer {
		return closing{1000, "target closed"}
	}
	return t.closing
}

func (r *rig) clientPeer(t *talk, conn net.Conn) *peer {
	if r.landing == toServer {
		return newPeer(t, conn, toTarget, newScript(t.saidSeed(toTarget), r.runes, t.toTarget), newScript(t.saidSeed(toClient), r.runes, t.toClient))
	}
	runes := r.coding.runes(r.runes)
	said := &bytesSource{stream: newStream(t.saidSeed(toTarget), runes, t.toTarget), sum: sha256.New(), coding: r.coding}
	heard := &bytesSink{checker: newChecker(newStream(t.saidSeed(toClient), runes, t.toClient)), coding: r.coding}
	p := newPeer(t, conn, toTarget, &greeting{said, r.coding.op(), r.hello(t)}, heard)
	said.random = p.speaker.random
	if r.coding.deflate {
		p.speaker.squeezer, p.listener.frames.deflate = newSqueezer(), true
	}
	return p
}

// hello tells the target which talk this is.
func (r *rig) hello(t *talk) []byte {
	if r.coding.base64 {
		return []byte(base64.StdEncoding.EncodeToString([]byte(t.hello())))
	}
	return []byte(t.hello())
}

// subprotocol is what a client offers. A gateway hands it on: there it is the hello.
func (r *rig) subprotocol(t *talk) string {
	if r.landing == toServer {
		return t.hello()
	}
	return r.coding.subprotocol
}

// A request asks for a WebSocket.
type request struct{ host, subprotocol, extension, key string }

func newRequest(host, subprotocol, extension string, s *speaker) request {
	var nonce [16]byte
	for i := range nonce {
		nonce[i] = byte(s.random.Uint32())
	}
	return request{host, subprotocol, extension, base64.StdEncoding.EncodeToString(nonce[:])}
}

func (r request) text() []byte {
	text := "GET / HTTP/1.1\r\nHost: " + r.host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + r.key + "\r\n"
	if r.subprotocol != "" {
		text += "Sec-WebSocket-Protocol: " + r.subprotocol + "\r\n"
	}
	if r.extension != "" {
		text += "Sec-WebSocket-Extensions: " + r.extension + "\r\n"
	}
	return []byte(text + "\r\n")
}

// answered reads the answer, which must be yes.
func (r request) answered(from *bufio.Reader) error {
	answer, err := http.ReadResponse(from, nil)
	if err != nil {
		return fmt.Errorf("no answer to the handshake: %w", err)
	}
	var why strings.Builder
	if answer.StatusCode != http.StatusSwitchingProtocols {
		answer.Write(&why)
		return fmt.Errorf("handshake refused: %s", why.String())
	}
	if got, want := answer.Header.Get("Sec-WebSocket-Accept"), acceptOf(r.key); got != want {
		return fmt.Errorf("Sec-WebSocket-Accept is %q, want %q", got, want)
	}
	if got := answer.Header.Get("Sec-WebSocket-Protocol"); got != r.subprotocol {
		return fmt.Errorf("the subprotocol is %q, want %q", got, r.subprotocol)
	}
	if got := answer.Header.Get("Sec-WebSocket-Extensions"); got != r.extension {
		return fmt.Errorf("the extension is %q, want %q", got, r.extension)
	}
	return nil
}

// acceptOf is RFC 6455 section 1.3's answer to a key.
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
