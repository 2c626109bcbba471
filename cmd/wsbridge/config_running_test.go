package main

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/wsbridge/wsbridge/internal/freeport"
	"github.com/wsbridge/wsbridge/message"
	"github.com/wsbridge/wsbridge/target"
)

// running is the program with an example.
type running struct {
	t       *testing.T
	dir     string
	bytes   string // the TCP service's address
	scheme  string
	address string
	process *process
}

func (e *running) start(name string, x example) {
	args := append([]string{"--config", name}, x.options...)
	for i, word := range args {
		args[i] = strings.Replace(word, "@", freeport.Port(e.t), 1)
	}
	if name != "unix-sockets.yaml" && name != "wrapped-program.yaml" {
		args = append(args, "--listen", "127.0.0.1:0")
	}
	e.check(args, x.env)
	e.run(args, x.env)
}

// check has the program look at the same without starting it.
func (e *running) check(args, env []string) {
	cmd := exec.Command("wsbridge", slices.Concat([]string{"config", "check"}, args)...)
	cmd.Dir, cmd.Env = e.dir, slices.Concat(os.Environ(), env, []string{"GORACE=" + quickExit})
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "ok: ") {
		e.t.Errorf("config check: %v\n%s", err, out)
	}
}

// run starts the program. At the end of the test it stops on SIGTERM with
// status 0.
func (e *running) run(args, env []string) {
	p := &process{cmd: exec.Command("wsbridge", args...), changed: make(chan struct{}), exited: make(chan struct{})}
	p.cmd.Env = slices.Concat(os.Environ(), env, []string{"GORACE=" + quickExit})
	p.cmd.Dir, p.cmd.Stderr = e.dir, p
	if err := p.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	go reap(p.cmd, p.exited)
	e.process = p
	e.t.Cleanup(e.stop)
	e.awaits(`proxying from|"msg":"listening"`)
	if text, _ := p.read(); !strings.Contains(text, "Listen on unix socket") {
		e.address = "127.0.0.1:" + e.awaits(`(?:Listen on |"listen":\[").*?:(\d+)[\n"]`)
	}
}

func (e *running) stop() {
	e.process.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.process.exited:
	case <-time.After(patience):
		e.process.cmd.Process.Kill()
		<-e.process.exited
	}
	if status := e.process.cmd.ProcessState; status.ExitCode() != 0 {
		text, _ := e.process.read()
		e.t.Errorf("it ended with %s; it wrote:\n%s", status, text)
	}
}

// awaits what the program writes, and gives the last group of it.
func (e *running) awaits(pattern string) string {
	e.t.Helper()
	late := time.After(patience)
	for gone := false; ; {
		text, changed := e.process.read()
		if found := regexp.MustCompile(pattern).FindStringSubmatch(text); found != nil {
			return found[len(found)-1]
		}
		if gone {
			e.t.Fatalf("it has ended without %q; it wrote:\n%s", pattern, text)
		}
		select {
		case <-changed:
		case <-e.process.exited:
			gone = true
		case <-late:
			e.t.Fatalf("no %q in what it wrote:\n%s", pattern, text)
		}
	}
}

func (e *running) dial(path string, header http.Header) (*message.Conn, error) {
	insecure := &tls.Config{InsecureSkipVerify: true}
	to, err := target.ParseWebSocket(e.scheme+"://"+e.address+path, target.Options{TLS: insecure})
	if e.address == "" {
		to, err = target.ParseWebSocket("ws+unix:"+filepath.Join(e.dir, "run", "bridge.sock")+":"+path, target.Options{})
	}
	if err != nil {
		return nil, err
	}
	to.Header, to.Subprotocols = header.Clone(), header.Values("Sec-WebSocket-Protocol")
	to.Header.Del("Sec-WebSocket-Protocol")
	up, err := to.Dial(e.t.Context())
	if err != nil {
		return nil, err
	}
	up.Conn.SetDeadline(time.Now().Add(patience))
	conn := message.New(up.Conn, message.Options{FromServer: true, Early: up.Early})
	e.t.Cleanup(func() {
		conn.Close(1000, "")
		conn.Finish(time.Now())
	})
	return conn, nil
}

// session sends lines, each a message, or a request of HTTP as bytes, and waits
// until what comes has want in it.
func (e *running) session(path string, header http.Header, send, want string) {
	e.t.Helper()
	e.exchange(path, header, "", send, want)
}

// exchange waits for the first words before it says its own: a stream may join
// them with the answer.
func (e *running) exchange(path string, header http.Header, first, send, want string) {
	e.t.Helper()
	conn, err := e.dial(path, header)
	if err != nil {
		e.t.Fatalf("%s: %v", path, err)
	}
	e.hear(conn, path, first)
	if strings.HasPrefix(send, "GET") {
		err = conn.Write(message.Message{Data: []byte(send)})
	} else {
		for line := range strings.Lines(send) {
			err = conn.Write(message.Message{Text: true, Data: []byte(strings.TrimSpace(line))})
		}
	}
	if err != nil {
		e.t.Fatalf("%s: %v", path, err)
	}
	e.hear(conn, path, want)
}

func (e *running) hear(conn *message.Conn, path, want string) {
	e.t.Helper()
	for heard := ""; !strings.Contains(heard, want); {
		m, err := conn.Read()
		heard += string(m.Data)
		if err != nil {
			e.t.Fatalf("%s: %v, after %q", path, err, heard)
		}
	}
}

func (e *running) get(path string, header http.Header, status int, want string) {
	e.t.Helper()
	request, err := http.NewRequestWithContext(e.t.Context(), http.MethodGet, "http://"+e.address+path, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	request.Header = header.Clone()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		e.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status || !strings.Contains(string(body), want) {
		e.t.Errorf("%s: %s, %v, want %d and %q in:\n%s", path, answer.Status, err, status, want, body)
	}
}

// jwt leads to the TCP service.
func (e *running) jwt() string {
	text, err := os.ReadFile(filepath.Join(e.dir, "tokens", "jwt.key"))
	if err != nil {
		e.t.Fatal(err)
	}
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		e.t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(e.bytes)
	object, err := signer.Sign(fmt.Appendf(nil, `{"host":%q,"port":%q,"aud":"desk"}`, host, port))
	if err != nil {
		e.t.Fatal(err)
	}
	token, err := object.CompactSerialize()
	if err != nil {
		e.t.Fatal(err)
	}
	return token
}

func basicAuth(user, password string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}}
}
