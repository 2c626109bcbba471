package record

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

// need is the path of a program that a test is nothing without.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and CI leaves no test out", program)
	}
	if err != nil {
		t.Skipf("%s is missing", program)
	}
	return path
}

// everyByte has all 256, and what might be taken for the format's own.
func everyByte() string {
	b := []byte("'EOF'];\n',\n'{0{\\x41\\")
	for i := range 256 {
		b = append(b, byte(i))
	}
	return string(b)
}

// exchange is a session, by turns; the target begins.
var exchange = []string{"RFB 003.008\n", "RFB 003.008\n", everyByte(), everyByte(), "it's \"quoted\"", "\x00", "}{", "{}"}

// play has the session between a client's end and a service's.
func play(t *testing.T, client, service net.Conn) {
	t.Helper()
	for i, what := range exchange {
		from, to := service, client
		if i%2 == 1 {
			from, to = client, service
		}
		say(t, from, to, what)
	}
}

// A browser's JavaScript engine evaluates a recording to what noVNC's player
// expects: a list of strings with a character for each byte.
func TestARecordingIsTheScriptThatNoVNCPlays(t *testing.T) {
	node := need(t, "node")
	r, _ := newRecorder(t)
	target, service := pair(t, r)
	play(t, target, service)
	target.Close()
	const script = `const sandbox = {};
		require("vm").runInNewContext(require("fs").readFileSync(process.argv[1], "utf8"), sandbox);
		console.log(JSON.stringify(sandbox.VNC_frame_data));`
	out, err := exec.Command(node, "-e", script, r.Prefix+".1").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i, what := range exchange {
		mark := string("{}"[i%2])
		characters := []rune{}
		for _, b := range []byte(what) {
			characters = append(characters, rune(b))
		}
		want = append(want, mark+"0"+mark+string(characters))
	}
	for i, s := range list {
		list[i] = untimed("'" + s)[1:]
	}
	if diff := cmp.Diff(append(want, "EOF"), list); diff != "" {
		t.Errorf("VNC_frame_data (-want +got):\n%s", diff)
	}
}

// The same session, recorded by the original and by us, is the same file but
// for the times.
func TestWebsockifyRecordsTheSame(t *testing.T) {
	theirs := recordWithWebsockify(t)

	r, _ := newRecorder(t)
	target, service := pair(t, r)
	play(t, target, service)
	target.Close()

	if diff := cmp.Diff(untimed(theirs), untimed(readFile(t, r.Prefix+".1"))); diff != "" {
		t.Errorf("recordings (-websockify +wsbridge):\n%s", diff)
	}
	reader := NewReader(strings.NewReader(theirs), "websockify's")
	for i, f := range frames(t, reader) {
		if string(f.Data) != exchange[i] || f.ToTarget != (i%2 == 1) {
			t.Errorf("frame %d is %q", i, f.Data)
		}
	}
	if reader.Cut() {
		t.Error("a whole recording of websockify counts as cut")
	}
}

// recordWithWebsockify returns websockify's recording of exchange.
func recordWithWebsockify(t *testing.T) string {
	t.Helper()
	program := need(t, "websockify")
	services, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer services.Close()
	prefix := filepath.Join(t.TempDir(), "theirs")
	port := freeport.Port(t)
	command := exec.Command(program, "--run-once", "--record", prefix, "127.0.0.1:"+port, services.Addr().String())
	var log logBuffer
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(patienceOfTests, func() { command.Process.Kill() })
	defer kill.Stop()
	defer func() {
		command.Process.Kill()
		command.Wait()
		if t.Failed() {
			t.Logf("websockify says:\n%s", &log)
		}
	}()
	client := openWebSocket(t, "127.0.0.1:"+port)
	service, err := services.Accept()
	if err != nil {
		t.Fatal(err)
	}
	service.SetDeadline(time.Now().Add(patienceOfTests))
	play(t, client, service)
	service.Close()
	client.Close()
	command.Wait()
	files, _ := filepath.Glob(prefix + ".*")
	if len(files) != 1 {
		t.Fatalf("websockify left %v", files)
	}
	return readFile(t, files[0])
}

// webSocket is a client with the least of RFC 6455: short binary messages.
type webSocket struct {
	net.Conn
	in   *bufio.Reader
	rest []byte
}

func openWebSocket(t *testing.T, address string) *webSocket {
	t.Helper()
	var c net.Conn
	waitFor(t, "websockify", func() (ok bool) {
		var err error
		c, err = net.Dial("tcp", address)
		return err == nil
	})
	c.SetDeadline(time.Now().Add(patienceOfTests))
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: h3aOngl22xTlrMuoCGC4+w==\r\n\r\n")
	in := bufio.NewReader(c)
	answer, err := http.ReadResponse(in, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: %v %v", answer, err)
	}
	return &webSocket{Conn: c, in: in}
}

// Write sends a message, masked with zeros.
func (w *webSocket) Write(p []byte) (int, error) {
	head := []byte{0x82, 0x80 | 126, byte(len(p) >> 8), byte(len(p)), 0, 0, 0, 0}
	if len(p) < 126 {
		head = []byte{0x82, 0x80 | byte(len(p)), 0, 0, 0, 0}
	}
	_, err := w.Conn.Write(append(head, p...))
	return len(p), err
}

func (w *webSocket) Read(p []byte) (int, error) {
	for len(w.rest) == 0 {
		var head [2]byte
		if _, err := io.ReadFull(w.in, head[:]); err != nil {
			return 0, err
		}
		size := uint16(head[1])
		if head[1] == 126 {
			if err := binary.Read(w.in, binary.BigEndian, &size); err != nil {
				return 0, err
			}
		}
		w.rest = make([]byte, size)
		if _, err := io.ReadFull(w.in, w.rest); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}
