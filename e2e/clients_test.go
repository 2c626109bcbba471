//go:build linux

package e2e

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// TestVerdictsOnServers: what servers say, right and wrong, is said to clients that
// know nothing of each other, and to a gateway. Where the others are of one mind,
// so is the gateway.
func TestVerdictsOnServers(t *testing.T) {
	stands := standsFor(t)
	court{
		speeches: speeches(speechesOfChance(t)), disagreements: append(disagreements, onServers...),
		ask:    func(s speech, stand string) verdict { return stands[stand].hear(s) },
		others: othersOf(stands), bridges: map[string]string{gateway: gateway},
		words: map[string]func(verdict) string{gateway: verdict.ofMessages},
	}.sit(t)
}

// A stand is a server that one kind of client visits over and over.
type stand struct{ net.Listener }

func newStand(t *testing.T) *stand {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &stand{l}
}

// standsFor are stands with their visitors, who echo what they hear.
func standsFor(t *testing.T) map[string]*stand {
	t.Helper()
	need(t, "node", modules, python, "/usr/lib/python3/dist-packages/websockets", "/usr/lib/python3/dist-packages/autobahn")
	stands := map[string]*stand{}
	for name, command := range map[string][]string{
		nodeWS:              {"node", "visitors.mjs"},
		"Python websockets": {python, "visitors_websockets.py"},
		"Python autobahn":   {python, "visitors_autobahn.py"},
	} {
		stands[name] = newStand(t)
		start(t, nil, command[0], command[1], "ws://"+stands[name].Addr().String()+"/")
	}
	stands["Go coder"], stands[gateway] = newStand(t), newStand(t)
	visit(t, "ws://"+stands["Go coder"].Addr().String())
	visit(t, serve(t, "ws://"+stands[gateway].Addr().String()).url("ws"))
	return stands
}

func othersOf(stands map[string]*stand) map[string]string {
	others := map[string]string{}
	for name := range stands {
		if name != gateway {
			others[name] = name
		}
	}
	return others
}

// visit has eight clients by coder/websocket do what the other visitors do.
func visit(t *testing.T, url string) {
	ctx, leave := context.WithCancel(t.Context())
	var visitors sync.WaitGroup
	t.Cleanup(func() { leave(); visitors.Wait() })
	for range 8 {
		visitors.Go(func() {
			for ctx.Err() == nil {
				echoOnce(ctx, url)
			}
		})
	}
}

func echoOnce(ctx context.Context, url string) {
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	echoMessages(ctx, conn)
}

// hear has the next visitor's verdict.
func (l *stand) hear(s speech) verdict {
	conn, in, key, err := l.receive()
	if err != nil {
		return verdict{end: err.Error()}
	}
	defer conn.Close()
	io.WriteString(conn, strings.Replace(rightAnswer, "{accept}", acceptOf(key), 1))
	return s.converse(conn, in, false)
}

// receive reads a visitor's opening handshake.
func (l *stand) receive() (conn net.Conn, in *bufio.Reader, key string, err error) {
	if conn, err = l.Accept(); err != nil {
		return nil, nil, "", err
	}
	conn.SetDeadline(time.Now().Add(patience))
	in = bufio.NewReader(conn)
	r, err := http.ReadRequest(in)
	if err != nil {
		conn.Close()
		return nil, nil, "", err
	}
	return conn, in, r.Header.Get("Sec-WebSocket-Key"), nil
}

const rightAnswer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"

// acceptOf answers a key, RFC 6455, 4.2.2.
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
