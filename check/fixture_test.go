package check

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"github.com/wsbridge/wsbridge/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is for things that must happen soon and would otherwise never.
const patience = time.Minute

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// start gives every connection to handle, until the test ends.
func start(t *testing.T, handle func(net.Conn)) (address string) {
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	var conns sync.WaitGroup
	t.Cleanup(conns.Wait)
	t.Cleanup(func() { l.Close() })
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(patience))
			conns.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
	return l.Addr().String()
}

// startTLS is start over TLS.
func startTLS(t *testing.T, config *tls.Config, handle func(net.Conn)) (address string) {
	return start(t, func(c net.Conn) {
		secure := tls.Server(c, config)
		defer secure.Close()
		if secure.Handshake() == nil {
			handle(secure)
		}
	})
}

// manners are those of a WebSocket server; the zero value's are good: it sends
// messages back, answers pings and closes as it should.
type manners struct {
	answer   string // to the request, instead of a right one
	headers  string // more of them
	accept   string // instead of the right one
	silentLF bool   // leaves a request with LF line ends unanswered
	noLF     bool   // refuses it
	greeting []byte // frames sent right behind the answer

	pong    func(net.Conn, ws.Frame) // instead of answering a ping
	data    func(net.Conn, ws.Frame) // instead of sending a message back
	closing func(net.Conn, ws.Frame) // instead of answering Close and leaving
}

func (m manners) serve(c net.Conn) {
	head, in := readHead(c)
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	lf := !bytes.Contains(head, []byte("\r\n"))
	switch {
	case err != nil:
		io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		return
	case lf && m.silentLF:
		io.Copy(io.Discard, c)
		return
	case lf && m.noLF:
		io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		return
	case m.answer != "":
		io.WriteString(c, m.answer)
		return
	}
	accept := m.accept
	if accept == "" {
		accept = target.Accept(request.Header.Get("Sec-WebSocket-Key"))
	}
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n%s", accept, m.headers, m.greeting)
	m.talk(c, in)
}

// readHead reads to the empty line.
func readHead(c net.Conn) (head []byte, in *bufio.Reader) {
	in = bufio.NewReader(c)
	for {
		line, err := in.ReadBytes('\n')
		head = append(head, line...)
		if err != nil || len(bytes.TrimSpace(line)) == 0 {
			return head, in
		}
	}
}

// readFrame reads a client's frame of a megabyte at most.
func readFrame(in io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(in); err != nil || f.Header.Length > 1<<20 {
		return f, errors.Join(err, errors.ErrUnsupported)
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(in, f.Payload)
	return ws.UnmaskFrame(f), err
}

func (m manners) talk(c net.Conn, in *bufio.Reader) {
	pong := func(c net.Conn, f ws.Frame) { ws.WriteFrame(c, ws.NewPongFrame(f.Payload)) }
	back := func(c net.Conn, f ws.Frame) { ws.WriteFrame(c, ws.NewFrame(f.Header.OpCode, true, f.Payload)) }
	closing := func(c net.Conn, f ws.Frame) { ws.WriteFrame(c, ws.NewCloseFrame(f.Payload)) }
	for _, habit := range []struct {
		own func(net.Conn, ws.Frame)
		is  *func(net.Conn, ws.Frame)
	}{{m.pong, &pong}, {m.data, &back}, {m.closing, &closing}} {
		if habit.own != nil {
			*habit.is = habit.own
		}
	}
	for {
		f, err := readFrame(in)
		if err != nil {
			return
		}
		switch f.Header.OpCode {
		case ws.OpPing:
			pong(c, f)
		case ws.OpClose:
			closing(c, f)
			return
		case ws.OpPong:
		default:
			back(c, f)
		}
	}
}

func nothing(net.Conn, ws.Frame) {}

// issued is a certificate with its key and those that vouch for it.
type issued struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate as change has it, signed by parent or by itself.
func issue(t *testing.T, name string, parent *issued, change func(*x509.Certificate)) *issued {
	t.Helper()
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().AddDate(-1, 0, 0),
		NotAfter:              time.Now().AddDate(1, 0, 0),
		BasicConstraintsValid: true,
	}
	if change != nil {
		change(template)
	}
	if parent == nil {
		parent = &issued{template, key}
	}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, parent.cert, &key.PublicKey, parent.key))
	return &issued{must[*x509.Certificate](t)(x509.ParseCertificate(der)), key}
}

func authority(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }

func names(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = names }
}

// serving is a server's config with this certificate and those sent behind it.
func (i *issued) serving(behind ...*issued) *tls.Config {
	chain := [][]byte{i.cert.Raw}
	for _, b := range behind {
		chain = append(chain, b.cert.Raw)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: chain, PrivateKey: i.key}}}
}

func (i *issued) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(i.cert)
	return pool
}

// at is a server by URL, where PORT stands for that of its address.
func at(address, url string, trusted *tls.Config) func() (target.WebSocket, error) {
	return func() (target.WebSocket, error) {
		_, port, _ := net.SplitHostPort(address)
		return target.ParseWebSocket(strings.ReplaceAll(url, "PORT", port), target.Options{TLS: trusted})
	}
}

// run checks, and gives the report with its steps by name.
func run(t *testing.T, c Check) (Report, map[string]Step) {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = patience
	}
	told := 0
	r := c.Run(context.Background(), func(Step) { told++ })
	if len(r.Steps) != 14 || told != 14 {
		t.Errorf("%d steps in the report, %d told, and there are 14", len(r.Steps), told)
	}
	byName := map[string]Step{}
	for _, s := range r.Steps {
		byName[s.Name] = s
	}
	return r, byName
}

// nameServer is a resolver whose DNS server gives these IPv4 addresses to any
// name.
func nameServer(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	server := must[net.PacketConn](t)(net.ListenPacket("udp", "127.0.0.1:0"))
	var done sync.WaitGroup
	t.Cleanup(done.Wait)
	t.Cleanup(func() { server.Close() })
	done.Go(func() {
		query := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			server.WriteTo(dnsAnswer(query[:n], addresses), from)
		}
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// dnsAnswer answers a query's one question (RFC 1035, 4.1), if it is for IPv4.
func dnsAnswer(query []byte, addresses []string) []byte {
	end := 12 + bytes.IndexByte(query[12:], 0) + 5 // name, type, class
	answer := append(bytes.Clone(query[:2]), 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
	answer = append(answer, query[12:end]...)
	if query[end-3] != 1 {
		return answer
	}
	for _, address := range addresses {
		answer[7]++
		answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
		answer = append(answer, net.ParseIP(address).To4()...)
	}
	return answer
}
