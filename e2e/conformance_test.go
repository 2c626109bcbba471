//go:build linux

package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"

	"github.com/coder/websocket"
)

// TestVerdicts: the same bytes, right and wrong, are said to servers that know
// nothing of each other, and to bridges. Where the others are of one mind a bridge
// is, too; where they are not, the table of disagreements says what a bridge does.
func TestVerdicts(t *testing.T) {
	others, bridges := servers(t)
	court{
		speeches: speeches(speechesOfChance(t)), ask: speech.judge, disagreements: disagreements,
		others: others, bridges: bridges,
		words: map[string]func(verdict) string{gateway: verdict.ofMessages},
	}.sit(t)
}

const (
	gateway = "gateway"
	nodeWS  = "Node ws"
)

// servers echo: by implementations of others, and bridges before an echo.
func servers(t *testing.T) (others, bridges map[string]string) {
	t.Helper()
	need(t, "node", modules, python, "/usr/lib/python3/dist-packages/websockets", "/usr/lib/python3/dist-packages/autobahn")
	node := upstream(t, "node", "upstream.mjs")
	others = map[string]string{
		nodeWS:              node,
		"Python websockets": upstream(t, python, "upstream_websockets.py"),
		"Python autobahn":   upstream(t, python, "upstream_autobahn.py"),
		"Go coder":          byCoder(t),
	}
	bridges = map[string]string{
		"event loop": serve(t, target(t, echo)).address(),
		"goroutines": serve(t, target(t, echo), "--pump", "goroutines").address(),
		gateway:      serve(t, "ws://"+node).address(),
	}
	return others, bridges
}

// speechesOfChance is how many speeches are left to chance: a short form, unless E2E_SPEECHES
// says more.
func speechesOfChance(t *testing.T) int {
	const short = 500
	text := os.Getenv("E2E_SPEECHES")
	if text == "" {
		return short
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("E2E_SPEECHES is %q, not a number of speeches", text)
	}
	return n
}

// byCoder is a server that echoes messages by coder/websocket.
func byCoder(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		echoMessages(r.Context(), conn)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// echoMessages says all messages back until the end.
func echoMessages(ctx context.Context, conn *websocket.Conn) {
	conn.SetReadLimit(1 << 20)
	for {
		kind, data, err := conn.Read(ctx)
		if err != nil || conn.Write(ctx, kind, data) != nil {
			return
		}
	}
}
