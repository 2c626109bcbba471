//go:build linux

package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// stage is a folder with the files that scenarios name.
func stage(t *testing.T, cert []byte) string {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"web/index.html":    "the index\n",
		"web/app.js":        "export {}\n",
		"web/picture.svg":   "<svg/>\n",
		"web/module.wasm":   "\x00asm",
		"web/sub/plain.txt": "plain\n",
		"secret.txt":        "secret\n",
		"self.pem":          string(cert),
	} {
		put(t, filepath.Join(dir, name), content)
	}
	if err := os.Symlink("../secret.txt", filepath.Join(dir, "web/link.txt")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// desks adds the token sources that lead to target.
func desks(t *testing.T, dir, target string) {
	put(t, filepath.Join(dir, "tokens"), "# desks\ngood: "+target+"\n")
	put(t, filepath.Join(dir, "desks/one"), "good: "+target+"\n")
}

// quietPort is a free one that no system gives away by itself, so that it is
// still free a second later. The original cannot say which port it was given.
func quietPort(t *testing.T) string {
	for range 100 {
		port := strconv.Itoa(20_000 + rand.IntN(10_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// put writes a file and the folders it is in.
func put(t *testing.T, path, content string) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Dir(path), filepath.Base(path), []byte(content))
}

// tokenServer answers the question for the token good with target, and
// returns its address.
func tokenServer(t *testing.T, target string) string {
	host, port, _ := net.SplitHostPort(target)
	answers := map[string]string{
		"/plain/good": target,
		"/json/good":  fmt.Sprintf(`{"host": %q, "port": %s}`, host, port),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// targets serve one talk at several addresses, and keep what their connections
// have to say at their ends.
type targets struct {
	talk func(net.Conn) (report string) // nil: nobody is there

	mu      sync.Mutex
	open    int
	last    string // address of the connection that all opened
	reports []string
}

// listen serves talk until the test's end.
func (s *targets) listen(t *testing.T, network, address string) string {
	if s.talk == nil && network == "unix" {
		return address
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	s.serve(t, l)
	return l.Addr().String()
}

// listenTLS serves talk with the certificate of the stage.
func (s *targets) listenTLS(t *testing.T, dir string) string {
	pair, err := tls.LoadX509KeyPair(dir+"/self.pem", dir+"/self.pem")
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	s.serve(t, l)
	return l.Addr().String()
}

func (s *targets) serve(t *testing.T, l net.Listener) {
	if s.talk == nil {
		l.Close()
		return
	}
	t.Cleanup(func() { l.Close() })
	go s.accept(l)
}

func (s *targets) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		if s.comes(conn) {
			conn.Close()
			continue
		}
		go s.host(conn)
	}
}

// comes counts a connection, unless it is the one that all opened.
func (s *targets) comes(conn net.Conn) (last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if conn.RemoteAddr().String() == s.last {
		return true
	}
	s.open++
	return false
}

// host has one connection.
func (s *targets) host(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	report := s.talk(conn)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if report != "" {
		s.reports = append(s.reports, report)
	}
}

// all waits until no connection is left at the TCP address, those that wait to
// be accepted included.
func (s *targets) all(t *testing.T, address string) []string {
	if s.talk == nil {
		return nil
	}
	last := s.dialLast(t, address)
	io.Copy(io.Discard, last)
	last.Close()
	eventually(t, "the target's connections end", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.open == 0
	})
	return s.reports
}

// dialLast opens a connection that is behind all others.
func (s *targets) dialLast(t *testing.T, address string) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s.last = conn.LocalAddr().String()
	return conn
}
