//go:build linux

package e2e

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

const (
	hoard     = 256 << 10 // bytes of a message that is never finished
	hoardings = 2000      // at most: far more than there is memory for
	hoardRate = 20 * time.Millisecond
)

// TestShortOfMemory: a bridge may take 128 MB, and clients come with messages that
// they begin and do not finish. When memory is short, who comes is told so; then
// those who have been idle for longest are closed, with their code; who works goes
// on, byte for byte; and when memory has come down, everybody gets in again.
func TestShortOfMemory(t *testing.T) {
	b := serve(t, target(t, echo), "--memory-limit", "128M", "--admin", "0", "--route", "/messages=ws://"+messageEcho(t))
	admin := b.await(`Administration on (127\S*)`)[1]
	b.await(`Memory limit 128 MB, by --memory-limit`)

	done := make(chan struct{})
	var workers sync.WaitGroup
	defer workers.Wait()
	stop := sync.OnceFunc(func() { close(done) })
	defer stop()
	for i := range 5 {
		conn := join(t, b)
		workers.Go(func() { chat(t, i, conn, done) })
	}

	closed := make(chan error, hoardings)
	told := gatherHoards(t, b.address(), closed)
	if !strings.Contains(told, "503") || !strings.Contains(told, "short of memory: try again later") || !strings.Contains(told, "Retry-After: ") {
		t.Errorf("who came then was told %q", told)
	}
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("one who was idle: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("nobody was closed")
	}
	eventually(t, "memory suffices again", func() bool {
		late, err := enter(b.address(), false)
		return err == nil && errors.Join(late.echo(noise(1000)), late.leave()) == nil
	})
	for len(closed) > 0 {
		if err := <-closed; err != nil {
			t.Errorf("one who was idle: %v", err)
		}
	}
	stop()
	workers.Wait()
	for _, words := range []string{"memory is short: new sessions are refused", "memory stays short", "memory suffices again"} {
		b.await(words)
	}
	metrics := get("http://" + admin + "/metrics")
	for _, want := range []string{`wsbridge_close_total{code="1013",who="bridge"}`, `wsbridge_refused_total{reason="short of memory: try again later"}`, "\nwsbridge_shedding 0\n"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
}

// gatherHoards opens sessions that begin a message each, until one is refused, and
// returns what that one was told. The ends of the others go to closed: nil is the
// end of who is idle in a bridge short of memory.
func gatherHoards(t *testing.T, address string, closed chan<- error) (told string) {
	t.Helper()
	began := "\x02\xff" + string(binary.BigEndian.AppendUint64(nil, 8<<20)) + "\x00\x00\x00\x00" + string(noise(hoard))
	for range hoardings {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		io.WriteString(conn, "GET /messages HTTP/1.1\r\nHost: bridge\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: h3aOngl22xTlrMuoCGC4+w==\r\n\r\n")
		in := bufio.NewReader(conn)
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusSwitchingProtocols {
			var b strings.Builder
			answer.Write(&b)
			return b.String()
		}
		io.WriteString(conn, began)
		go func() { closed <- hearShort(in) }()
		time.Sleep(hoardRate) // so that the bridge looks at its memory now and then
	}
	t.Fatalf("%d sessions with %d bytes each, and nobody is refused", hoardings, hoard)
	return ""
}

// hearShort is nil when the bridge closes for want of memory.
func hearShort(in io.Reader) error {
	opcode, payload, err := readFrame(in)
	if err != nil {
		return err
	}
	if got := said(opcode, payload); got != "close 1013" || !strings.HasSuffix(string(payload), "bridge short of memory") {
		return fmt.Errorf("%s %q", got, payload)
	}
	return nil
}

// messageEcho is a WebSocket server that says every message again.
func messageEcho(t *testing.T) (address string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		defer conn.Close()
		for err == nil {
			var m []byte
			if m, err = wsutil.ReadClientBinary(conn); err == nil {
				err = wsutil.WriteServerBinary(conn, m)
			}
		}
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
