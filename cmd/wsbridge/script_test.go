package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wsbridge/wsbridge/config"
)

// patience is for things that must happen soon and would otherwise never.
const patience = time.Minute

// bridgeKey is where a script keeps the wsbridge it started.
type bridgeKey struct{}

func bridgeOf(ts *testscript.TestScript) *process { return ts.Value(bridgeKey{}).(*process) }

// process is a running wsbridge and what it has written to standard error.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once cmd has been waited for

	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed at the next write
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
	return p.text.Write(b)
}

func (p *process) read() (text string, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String(), p.changed
}

// await waits until standard error matches, and returns the submatches.
func (p *process) await(ts *testscript.TestScript, pattern string) []string {
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	late := time.After(patience)
	for gone := false; ; {
		text, changed := p.read()
		if found := re.FindStringSubmatch(text); found != nil {
			return found
		}
		if gone {
			ts.Fatalf("wsbridge has ended without %q; it wrote:\n%s", pattern, text)
		}
		select {
		case <-changed:
		case <-p.exited:
			gone = true
		case <-late:
			ts.Fatalf("no %q in what wsbridge wrote:\n%s", pattern, text)
		}
	}
}

// exits STATUS COMMAND ARG...: the command ends with this status.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	status := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		status = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if status != want {
		ts.Fatalf("exit status %d, want %d", status, want)
	}
}

// start ARG...: wsbridge runs, and $PORT is its first port.
func start(ts *testscript.TestScript, _ bool, args []string) {
	p := bridgeOf(ts)
	cmd, exited := exec.Command("wsbridge", args...), make(chan struct{})
	p.changed, p.exited, p.cmd = make(chan struct{}), exited, cmd
	p.text.Reset()
	p.cmd.Dir = ts.MkAbs(".")
	p.cmd.Env = append(append(os.Environ(), "GORACE="+quickExit), scriptEnv(ts)...)
	p.cmd.Stderr = p
	ts.Check(p.cmd.Start())
	go reap(cmd, exited)
	ts.Defer(func() {
		cmd.Process.Kill()
		<-exited
	})
	p.await(ts, `proxying from|"msg":"listening"`)
	ts.Setenv("PORT", p.await(ts, `(?:Listen on |"listen":\[").*?:(\d+)[\n"]`)[1])
}

func reap(cmd *exec.Cmd, exited chan struct{}) {
	defer close(exited)
	cmd.Wait()
}

// scriptEnv is what the script's env command has set for wsbridge.
func scriptEnv(ts *testscript.TestScript) (env []string) {
	for _, s := range config.Sections() {
		for _, o := range s.Options {
			if value := ts.Getenv(o.Env()); o.Env() != "" && value != "" {
				env = append(env, o.Env()+"="+value)
			}
		}
	}
	return env
}

// logged REGEXP: the running wsbridge writes this to standard error.
func logged(ts *testscript.TestScript, neg bool, args []string) {
	p := bridgeOf(ts)
	if !neg {
		p.await(ts, args[0])
		return
	}
	if text, _ := p.read(); regexp.MustCompile(args[0]).MatchString(text) {
		ts.Fatalf("%q is in what wsbridge wrote:\n%s", args[0], text)
	}
}

// found NAME PATTERN: $NAME is the first group of what wsbridge wrote or will.
func found(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], bridgeOf(ts).await(ts, args[1])[1])
}

// signal NAME: the running wsbridge gets a signal.
func signalBridge(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP}
	ts.Check(bridgeOf(ts).cmd.Process.Signal(signals[args[0]]))
}

// stopped STATUS: the running wsbridge ends with this status.
func stopped(ts *testscript.TestScript, _ bool, args []string) {
	p := bridgeOf(ts)
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.cmd.Process.Signal(syscall.SIGQUIT) // to see its goroutines
		<-p.exited
		text, _ := p.read()
		ts.Fatalf("wsbridge does not stop; it wrote:\n%s", text)
	}
	if got := fmt.Sprint(p.cmd.ProcessState.ExitCode()); got != args[0] {
		text, _ := p.read()
		ts.Fatalf("exit status %s, want %s; it wrote:\n%s", got, args[0], text)
	}
}

// get URL STATUS: GET has this answer, whose body is then in stdout.
func get(ts *testscript.TestScript, _ bool, args []string) { request(ts, http.MethodGet, args) }

// delete URL STATUS [HEADER]...: what get does, to end something.
func deleteIt(ts *testscript.TestScript, _ bool, args []string) {
	request(ts, http.MethodDelete, args)
}

func request(ts *testscript.TestScript, method string, args []string) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: patience}
	r, err := http.NewRequest(method, args[0], nil)
	ts.Check(err)
	for _, line := range args[2:] {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	answer, err := client.Do(r)
	ts.Check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	ts.Stdout().Write(body)
	if got := fmt.Sprint(answer.StatusCode); got != args[1] {
		ts.Fatalf("status %s, want %s:\n%s", got, args[1], body)
	}
}

// poll URL PATTERN: soon, what is there matches.
func poll(ts *testscript.TestScript, _ bool, args []string) {
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	var body []byte
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(5 * time.Millisecond) {
		answer, err := http.Get(args[0])
		ts.Check(err)
		body, err = io.ReadAll(answer.Body)
		answer.Body.Close()
		ts.Check(err)
		if re.Match(body) {
			return
		}
	}
	ts.Fatalf("%s has no %q:\n%s", args[0], args[1], body)
}

// session ADDRESS[/PATH]: a client opens a session, which lasts to the script's end.
func session(ts *testscript.TestScript, _ bool, args []string) {
	address, path, _ := strings.Cut(args[0], "/")
	conn, err := net.DialTimeout("tcp", address, patience)
	ts.Check(err)
	ts.Defer(func() { conn.Close() })
	io.WriteString(conn, "GET /"+path+" HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: h3aOngl22xTlrMuoCGC4+w==\r\n\r\n")
	conn.SetReadDeadline(time.Now().Add(patience))
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	ts.Check(err)
	if answer.StatusCode != http.StatusSwitchingProtocols {
		ts.Fatalf("upgrade answered with %s", answer.Status)
	}
}

// occupy NAME: $NAME is a port of 127.0.0.1 that accepts and says nothing.
func occupy(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	ts.Setenv(args[0], port)
}

// certificate FILE: a self-signed certificate and its key.
func certificate(ts *testscript.TestScript, _ bool, args []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	chain, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}

// shutout ADMIN: a reload cannot read what the configuration names by now, and
// says why; where the kernel shuts nobody in, it can.
func shutOut(ts *testscript.TestScript, _ bool, args []string) {
	active := bridgeOf(ts).await(ts, `msg=sandbox active=(true|false)`)[1] == "true"
	err := ts.Exec("wsbridge", "reload", "--admin", args[0])
	if said := ts.ReadFile("stderr"); active == (err == nil) || active && !strings.Contains(said, "only the folders are left that were named then: restart, or --sandbox off") {
		ts.Fatalf("sandbox %v, reload: %v, %s", active, err, said)
	}
}
