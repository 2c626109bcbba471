package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const examplesDir = "../../examples"

// example is how a file of examples/ is tried: the binary is started with it
// and with options that change nothing but ports and addresses.
type example struct {
	options []string // of the command line; @ is a free port
	env     []string
	try     func(e *running)
}

// greeting is what every target says before it says back what it hears.
const greeting = `{"hello":"desk","internal":1}`

func exampleTable() map[string]example {
	const anyPort = "127.0.0.1:0"
	hello := func(path string, header http.Header) func(e *running) {
		return func(e *running) { e.session(path, header, "", greeting) }
	}
	ann := basicAuth("ann", "change-me")
	return map[string]example{
		"plain-tcp.yaml": {try: hello("/", nil)},
		"novnc.yaml": {options: []string{"--web", "web"}, try: func(e *running) {
			e.get("/index.html", nil, http.StatusOK, "A page of your own")
			e.session("/websockify", nil, "", greeting)
		}},
		"tls.yaml": {try: func(e *running) {
			e.scheme = "wss"
			e.session("/", nil, "", greeting)
			e.scheme = "ws"
			if _, err := e.dial("/", nil); err == nil {
				e.t.Error("a session without TLS")
			}
		}},
		"tokens-file.yaml": {try: hello("/?token=kitchen", nil)},
		"tokens-jwt.yaml":  {try: func(e *running) { hello("/", http.Header{"Cookie": {"desk=" + e.jwt()}})(e) }},
		"users-htpasswd.yaml": {try: func(e *running) {
			e.get("/", nil, http.StatusUnauthorized, "")
			e.get("/", ann, http.StatusOK, "A page of your own")
			e.session("/", ann, "", greeting)
		}},
		"fme-hub.yaml": {try: func(e *running) {
			e.session("/websocket", nil, `{"ws_op":"open","ws_stream_id":"maps"}`+"\n"+`{"ws_op":"admin","ws_msg":"getnumchannels()"}`, "maps")
		}},
		"fme-behind-ws.yaml": {try: hello("/", nil)},
		"gateway-content.yaml": {try: func(e *running) {
			e.session("/orders", nil, "", `{"hello":"desk"}`)
			e.exchange("/orders", nil, `{"hello":"desk"}`, `{"beans":2}`, `"order":{"beans":2}`)
			e.exchange("/orders", nil, `{"hello":"desk"}`, `{"beans":`, `error`)
		}},
		"passthrough-hiawatha.yaml": {try: func(e *running) {
			e.session("/news", nil, "", greeting)
			e.session("/stock", nil, "", greeting)
		}},
		"routes.yaml": {try: func(e *running) {
			e.get("/", nil, http.StatusOK, "A page of your own")
			e.session("/desk", nil, "", greeting)
			e.session("/ssh", http.Header{"Sec-Websocket-Protocol": {"binary"}}, "", greeting)
			e.session("/chat", nil, "", greeting)
			if _, err := e.dial("/later", nil); err == nil {
				e.t.Error("a session on a route that is left out")
			}
		}},
		"unix-sockets.yaml": {try: hello("/", nil)},
		"wrapped-program.yaml": {options: []string{"127.0.0.1:@", "--", "wsbridge", "demo", "{port}"}, try: func(e *running) {
			e.session("/", nil, "GET / HTTP/1.0\r\n\r\n", "200 OK")
		}},
		"admin-metrics.yaml": {options: []string{"--log-format", "text", "--admin", anyPort}, try: func(e *running) {
			hello("/", nil)(e)
			e.address = e.awaits(`Administration on (\S+)`)
			e.get("/metrics", nil, http.StatusOK, "wsbridge_")
			e.get("/livez", nil, http.StatusOK, "")
		}},
		"several-files.yaml": {env: []string{"DESK_USER=ann", "DESK_PASSWORD=change-me"}, try: hello("/desk", ann)},
	}
}

// TestExamples starts the program with every file of examples/, makes a session
// or a request through it, and stops it.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob(examplesDir + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	table := exampleTable()
	byBytes, byMessages := exampleTargets(t)
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			x, ok := table[name]
			if !ok {
				t.Fatal("nobody tries this example")
			}
			e := &running{t: t, dir: copyExamples(t, byBytes, byMessages), scheme: "ws", bytes: byBytes}
			e.start(name, x)
			x.try(e)
		})
		delete(table, name)
	}
	for name := range table {
		t.Errorf("there is no example %s", name)
	}
}

// exampleTargets are what the examples lead to: a TCP service, and a WebSocket
// server.
func exampleTargets(t *testing.T) (byBytes, byMessages string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go greetAll(l)
	e := &running{t: t, dir: t.TempDir()}
	e.run([]string{"--text", "--listen", "127.0.0.1:0", l.Addr().String()}, nil)
	return l.Addr().String(), e.address
}

func greetAll(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go greet(conn)
	}
}

func greet(conn net.Conn) {
	defer conn.Close()
	io.WriteString(conn, greeting)
	io.Copy(conn, conn)
}

// copyExamples is a folder with the examples, and all that they name: targets
// that are there, a certificate, a socket.
func copyExamples(t *testing.T, byBytes, byMessages string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ex") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	targets := strings.NewReplacer("localhost:5900", byBytes, "localhost:5901", byBytes, "localhost:22", byBytes,
		"127.0.0.1:5000", byMessages, "127.0.0.1:5001", byMessages, "127.0.0.1:8078", byMessages)
	err = filepath.WalkDir(examplesDir, func(path string, entry os.DirEntry, err error) error {
		to := filepath.Join(dir, strings.TrimPrefix(path, examplesDir))
		if err != nil || entry.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, []byte(targets.Replace(string(text))), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	makeCertificate(t, dir)
	makeSocket(t, dir)
	return dir
}

func makeSocket(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "run", "desk.sock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go greetAll(l)
}

// makeCertificate is for localhost, and signed by itself.
func makeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	chain, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "certificates"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"desk.pem": {Type: "CERTIFICATE", Bytes: chain}, "desk-key.pem": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, "certificates", name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
