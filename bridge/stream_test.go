package bridge

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"

	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/frame"
)

// stream is n seeded random bytes.
func stream(seed uint64, n int) []byte {
	b := make([]byte, n)
	src := rand.NewChaCha8([32]byte{byte(seed)})
	src.Read(b)
	return b
}

// Both directions at once, every frame size around every boundary, fragments
// and pings in between: each byte arrives once, in order.
func TestEveryByteBothWays(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		client, target := r.pair()
		up, down := stream(1, 3<<20), stream(2, 5<<20)
		go sendFragmented(client, up)
		go func() {
			for rest := down; len(rest) > 0; {
				n := min(len(rest), 1+rand.IntN(200_000))
				target.Write(rest[:n])
				rest = rest[n:]
			}
		}()
		got := make(chan [32]byte)
		go func() {
			hash := sha256.New()
			io.CopyN(hash, target, int64(len(up)))
			got <- [32]byte(hash.Sum(nil))
		}()
		if fromTarget := client.read(len(down)); fromTarget != string(down) {
			t.Error("client: bytes differ")
		}
		if <-got != sha256.Sum256(up) {
			t.Error("target: bytes differ")
		}
	})
}

func sendFragmented(client *peer, data []byte) {
	sizes := []int{0, 1, 125, 126, 127, 4095, 4096, 16384, 16385, 65519, 65520, 65535, 65536, 70000}
	for i := 0; len(data) > 0; i++ {
		n := min(len(data), sizes[i%len(sizes)])
		half := n / 2
		switch i % 3 {
		case 0:
			client.raw(masked(ws.OpBinary, true, string(data[:n])))
		case 1:
			client.raw(masked(ws.OpBinary, false, string(data[:half])) + masked(ws.OpPing, true, "mid") + masked(ws.OpContinuation, true, string(data[half:n])))
		default:
			client.raw(masked(ws.OpBinary, false, "") + masked(ws.OpContinuation, false, string(data[:half])) + masked(ws.OpContinuation, true, string(data[half:n])))
		}
		data = data[n:]
	}
}

func TestTextFramesAreBytes(t *testing.T) {
	r := startRig(t, nil)
	client, target := r.pair()
	client.raw(masked(ws.OpText, false, "caf\xc3") + masked(ws.OpContinuation, true, "\xa9"))
	if got := readN(t, target, 5); got != "café" {
		t.Errorf("target got %q", got)
	}
}

func TestPingsAreAnswered(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		client, _ := r.pair()
		client.raw(masked(ws.OpPong, true, "unasked") + masked(ws.OpPing, true, "are you there"))
		if ev, err := client.event(); err != nil || ev.Kind != frame.Pong || string(ev.Payload) != "are you there" {
			t.Errorf("%+v %v", ev, err)
		}
	})
}

func TestBase64(t *testing.T) {
	everyWay(t, nil, func(t *testing.T, r *rig) {
		client := r.dial("Sec-WebSocket-Protocol: base64")
		target := r.accept()
		up, down := stream(3, 200_000), stream(4, 200_001)
		text := base64.StdEncoding.EncodeToString(up[:100_000]) + base64.StdEncoding.EncodeToString(up[100_000:])
		go func() {
			for at, n := 0, 1; at < len(text); at, n = at+n, n*3%10_007 {
				n = min(n, len(text)-at)
				client.raw(masked(ws.OpText, true, text[at:at+n]))
			}
		}()
		if got := readN(t, target, len(up)); got != string(up) {
			t.Error("target: bytes differ")
		}
		go target.Write(down)
		var got []byte
		for len(got) < len(down) {
			ev, err := client.event()
			if err != nil || !ev.Text {
				t.Fatalf("%+v %v", ev.Kind, err)
			}
			// A read may hand out a frame in pieces; each is whole quanta here
			// only when the frame is, so gather the message first.
			message := bytes.Clone(ev.Payload)
			for !ev.Last {
				if ev, err = client.event(); err != nil {
					t.Fatal(err)
				}
				message = append(message, ev.Payload...)
			}
			decoded, err := base64.StdEncoding.DecodeString(string(message))
			if err != nil {
				t.Fatalf("a message that does not stand by itself: %v", err)
			}
			got = append(got, decoded...)
		}
		if !bytes.Equal(got, down) {
			t.Error("client: bytes differ")
		}
	})
}

func TestBadBase64(t *testing.T) {
	r := startRig(t, nil)
	client := r.dial("Sec-WebSocket-Protocol: base64")
	target := r.accept()
	client.raw(masked(ws.OpText, true, "aGVs") + masked(ws.OpText, true, "!!!!"))
	if got := readAll(t, target); got != "hel" {
		t.Errorf("target got %q", got)
	}
	client.wantClose(1007, "payload is not valid base64")
}

func TestTextMode(t *testing.T) {
	r := startRig(t, func(s *Server) { s.Text = true })
	client, target := r.dial(), r.accept()
	text := strings.Repeat("naïve café €5 😀 ", 1000)
	go func() {
		for i := range len(text) { // every rune is cut somewhere
			io.WriteString(target, text[i:i+1])
		}
	}()
	var got []byte
	for len(got) < len(text) {
		ev, err := client.event() // the decoder checks every message's UTF-8
		if err != nil || !ev.Text {
			t.Fatalf("after %q: %+v %v", got, ev, err)
		}
		got = append(got, ev.Payload...)
	}
	if string(got) != text {
		t.Error("text differs")
	}
}

func TestTextModeWithOtherBytes(t *testing.T) {
	for tail, cut := range map[string]int{"\xff and more": 0, "cut\xe2\x82": 3} {
		r := startRig(t, func(s *Server) { s.Text = true })
		client, target := r.dial(), r.accept()
		io.WriteString(target, "good "+tail)
		target.CloseWrite()
		got := client.wantClose(1011, "target sent bytes that are not UTF-8 text")
		if want := "good " + tail[:cut]; got != want {
			t.Errorf("client got %q before, want %q", got, want)
		}
		client.close(1000, "")
	}
}

// A client that does not read stops the target from being read, and costs a
// bounded amount of memory however much is offered.
func TestStalledClientStopsTheTarget(t *testing.T) {
	r := startRig(t, nil)
	client, target := r.pair()
	client.socket().SetReadBuffer(4096)
	before := heap()
	chunk := make([]byte, 1<<20)
	var offered int
	for offered = 0; offered < 1<<30; {
		target.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := target.Write(chunk)
		if offered += n; err != nil {
			break
		}
	}
	if offered >= 1<<30 {
		t.Fatal("a client that reads nothing was sent 1 GB")
	}
	if grown := heap() - before; grown > 256<<10 {
		t.Errorf("a stalled session costs %d KB", grown>>10)
	}
	// Pings are still taken in while the client's side is stuck.
	target.SetReadDeadline(time.Now().Add(patience))
	client.raw(masked(ws.OpPing, true, "1") + masked(ws.OpPing, true, "2") + masked(ws.OpBinary, true, "through"))
	if got := readN(t, target, 7); got != "through" {
		t.Errorf("target got %q", got)
	}
}

func TestStalledTargetStopsTheClient(t *testing.T) {
	r := startRig(t, nil)
	client, _ := r.pair()
	before := heap()
	message := masked(ws.OpBinary, true, strings.Repeat("x", 1<<20))
	var offered int
	for offered = 0; offered < 1<<30; {
		client.conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := io.WriteString(client.conn, message)
		if offered += n; err != nil {
			break
		}
	}
	if offered >= 1<<30 {
		t.Fatal("a target that reads nothing was sent 1 GB")
	}
	if grown := heap() - before; grown > 2<<20+256<<10 { // the message is the test's
		t.Errorf("a stalled session costs %d KB", grown>>10)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // the second empties the pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// One frame of 1 TB is streamed: what came so far is at the target.
func TestFrameWithoutEnd(t *testing.T) {
	r := startRig(t, nil)
	client, target := r.pair()
	client.raw("\x82\xff\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00") // mask 0
	data := stream(5, 1<<20)
	go io.Copy(client.conn, bytes.NewReader(data))
	if got := readN(t, target, len(data)); got != string(data) {
		t.Error("bytes differ")
	}
}

func TestHeartbeat(t *testing.T) {
	r := startRig(t, func(s *Server) { s.Heartbeat = 150 * time.Millisecond })
	client, target := r.pair()
	for range 4 { // an answer keeps it alive past two
		ev, err := client.event()
		if err != nil || ev.Kind != frame.Ping {
			t.Fatalf("%+v %v", ev, err)
		}
		client.raw(masked(ws.OpPong, true, string(ev.Payload)))
	}
	client.wantClose(1011, "client answered none of two pings")
	readAll(t, target)
	r.wantLog("session ended", "by=bridge", "pings")
}

// A heartbeat must not blame the client while a slow target keeps the bridge
// from reading what the client says.
func TestHeartbeatDuringABlockedTarget(t *testing.T) {
	data := stream(6, 16<<20)
	message := masked(ws.OpBinary, true, string(data))
	r := startRig(t, func(s *Server) { s.Heartbeat = 150 * time.Millisecond })
	client, target := r.pair()
	sent := make(chan struct{})
	go func() {
		client.raw(message)
		close(sent)
	}()
	r.eventually("the target's side blocked", func() (blocked bool) {
		r.server.sessions.each(func(l live) { blocked = l.(*session).writing.Load() })
		return blocked
	})
	for range 5 { // five heartbeats go by
		if ev, err := client.event(); err != nil || ev.Kind != frame.Ping {
			t.Fatalf("%+v %v", ev, err)
		}
	}
	if got := readN(t, target, len(data)); got != string(data) {
		t.Error("bytes differ")
	}
	<-sent
}

func TestSessionIdle(t *testing.T) {
	r := startRig(t, func(s *Server) { s.SessionIdle = 400 * time.Millisecond })
	client, target := r.pair()
	for range 20 {
		client.send("x")
		readN(t, target, 1)
	}
	client.wantClose(1001, "session idle")
	client.close(1001, "")
	readAll(t, target)
	r.wantLog("session ended", "code=1001", "by=bridge", `reason="session idle"`)
}

func TestTraffic(t *testing.T) {
	glyphs := &logBuffer{}
	r := startRig(t, func(s *Server) { s.Traffic = glyphs })
	client, target := r.pair()
	client.close(1000, "")
	readAll(t, target)
	target.Close()
	client.wantClose(1000, "")
	got := glyphs.String()
	for _, glyph := range []string{"}", ">", "{", "<"} {
		if !strings.Contains(got, glyph) {
			t.Errorf("no %q in %q", glyph, got)
		}
	}
}

// Bulk on plain sockets is spliced, and every frame of it is sound.
func TestBulkFrames(t *testing.T) {
	r := startRig(t, nil)
	client, target := r.pair()
	data := stream(7, 64<<20)
	want := sha256.Sum256(data)
	go func() {
		target.Write(data)
		target.CloseWrite()
	}()
	hash, largest, size := sha256.New(), 0, 0
	for {
		ev, err := client.event()
		if err != nil {
			t.Fatal(err)
		}
		if ev.Kind == frame.Close {
			break
		}
		hash.Write(ev.Payload)
		if size += len(ev.Payload); ev.Last {
			largest, size = max(largest, size), 0
		}
	}
	if [32]byte(hash.Sum(nil)) != want {
		t.Error("bytes differ")
	}
	if largest > 256<<10 {
		t.Errorf("a frame of %d bytes", largest)
	}
	if runtime.GOOS == "linux" && largest <= bufferSize {
		t.Errorf("largest frame %d: nothing was spliced", largest)
	}
}
