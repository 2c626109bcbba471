package logs

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is for things that must happen soon and would otherwise never.
const patience = time.Minute

// server is a syslog server on a real socket.
type server struct {
	t       *testing.T
	kind    string // "unixgram", "unix", "udp", "tcp" or "tls"
	name    string // path or host:port
	ca      string
	config  *tls.Config
	records chan string // room for all that a test sends

	mu      sync.Mutex
	open    []io.Closer
	serving sync.WaitGroup
	reading chan struct{} // closed: go on and read
}

func newServer(t *testing.T, kind string) *server {
	s := &server{t: t, kind: kind, name: "127.0.0.1:0", records: make(chan string, 10000), reading: make(chan struct{})}
	switch kind {
	case "unixgram", "unix":
		s.name = filepath.Join(t.TempDir(), "log")
	case "tls":
		s.config, s.ca = newCertificate(t)
	}
	close(s.reading)
	t.Cleanup(s.stop)
	return s
}

// address is what a person would write for --syslog.
func (s *server) address() Address {
	s.t.Helper()
	text := s.kind + "://" + s.name
	switch s.kind {
	case "unixgram", "unix":
		text = s.name
	case "tls":
		text += "?ca=" + s.ca
	}
	a, err := ParseAddress(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// start listens, after a stop on the same address.
func (s *server) start() {
	s.t.Helper()
	if s.kind == "udp" || s.kind == "unixgram" {
		conn, err := net.ListenPacket(s.kind, s.name)
		if err != nil {
			s.t.Fatal(err)
		}
		s.name = conn.LocalAddr().String()
		s.keep(conn)
		s.serving.Go(func() { s.readDatagrams(conn) })
		return
	}
	network := s.kind
	if s.kind == "tls" {
		network = "tcp"
	}
	l, err := net.Listen(network, s.name)
	if err != nil {
		s.t.Fatal(err)
	}
	s.name = l.Addr().String()
	if s.kind == "tls" {
		l = tls.NewListener(l, s.config)
	}
	s.keep(l)
	s.serving.Go(func() { s.accept(l) })
}

func (s *server) keep(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = append(s.open, c)
}

// stop ends the server with all its connections, as a crash would.
func (s *server) stop() {
	s.mu.Lock()
	for _, c := range s.open {
		c.Close()
	}
	s.open = nil
	s.mu.Unlock()
	s.goOn()
	s.serving.Wait()
	if s.kind == "unixgram" {
		os.Remove(s.name)
	}
}

// hang makes a server that is not started yet read nothing until goOn.
func (s *server) hang() { s.reading = make(chan struct{}) }

func (s *server) goOn() {
	select {
	case <-s.reading:
	default:
		close(s.reading)
	}
}

func (s *server) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s.keep(conn)
		s.serving.Go(func() { s.readStream(conn) })
	}
}

func (s *server) readDatagrams(conn net.PacketConn) {
	<-s.reading
	b := make([]byte, 1<<16)
	for {
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			return
		}
		s.records <- string(b[:n])
	}
}

// readStream takes records off as their framing says.
func (s *server) readStream(conn net.Conn) {
	defer conn.Close()
	<-s.reading
	r := bufio.NewReader(conn)
	for {
		if s.kind == "unix" {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			s.records <- strings.TrimSuffix(line, "\n")
			continue
		}
		var size int
		if _, err := fmt.Fscanf(r, "%d", &size); err != nil {
			return
		}
		b := make([]byte, 1+size)
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		s.records <- string(b[1:])
	}
}

// next is the text of the record that comes next.
func (s *server) next() string {
	s.t.Helper()
	select {
	case record := <-s.records:
		return text(s.t, record)
	case <-time.After(patience):
		s.t.Fatal("no record comes")
		return ""
	}
}

// until returns the texts up to the one that holds want.
func (s *server) until(want string) (texts []string) {
	s.t.Helper()
	for {
		texts = append(texts, s.next())
		if strings.Contains(texts[len(texts)-1], want) {
			return texts
		}
	}
}

// text takes the header of RFC 5424 off.
func text(t *testing.T, record string) string {
	t.Helper()
	_, text, ok := strings.Cut(record, " - - ")
	if !ok {
		t.Fatalf("not RFC 5424: %q", record)
	}
	return strings.TrimPrefix(text, "\ufeff")
}

// await polls until what a test waits for is there.
func await(t *testing.T, what string, there func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !there(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: never", what)
		}
	}
}

// newCertificate is a server's for 127.0.0.1, and the file of its authority.
func newCertificate(t *testing.T) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	chain, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{chain}, PrivateKey: key}}}, ca
}
