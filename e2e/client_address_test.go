//go:build linux

package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

// front is the address that proxies of these tests come from. Clients come from
// 127.0.0.1.
const front = "127.0.0.3"

const proxyFront = `
defaults
  mode tcp
  timeout connect 5s
  timeout client 1m
  timeout server 1m
listen door
  bind %s
  server bridge %s source ` + front + ` %s
`

// TestClientAddressByPROXY: behind a real HAProxy, by either version of its
// protocol, plain or by TLS, the client is the client and not HAProxy.
func TestClientAddressByPROXY(t *testing.T) {
	need(t, "haproxy", "openssl")
	cert := certify(t, t.TempDir(), "localhost")
	b := serve(t, target(t, echo), append(cert.options(), "--proxy-protocol", front, "--send-proxy", "v1")...)
	for _, option := range []string{"send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"} {
		door := freeport.Address(t)
		config := write(t, t.TempDir(), "haproxy.cfg", fmt.Appendf(nil, proxyFront, door, b.address(), option))
		start(t, nil, "haproxy", "-db", "-f", config)
		eventually(t, "haproxy listens", func() bool { return answers(door) })
		for _, secure := range []bool{false, true} {
			if got, from := announced(t, door, secure); got != announcement(from, door) {
				t.Errorf("%s, TLS %v: the target hears %q of %s at %s", option, secure, got, from, door)
			}
		}
	}
}

// TestPROXYHeaderOfAStranger: who is not trusted says what he likes, and is
// served, or not, as himself.
func TestPROXYHeaderOfAStranger(t *testing.T) {
	b := serve(t, target(t, echo), "--proxy-protocol", front, "--send-proxy", "v1")
	if got, from := announced(t, b.address(), false); got != announcement(from, b.address()) {
		t.Errorf("the target hears %q of %s", got, from)
	}
	for _, header := range []string{
		"PROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\n",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x06\x06\x06\x06\x07\x07\x07\x07\x00\x01\x00\x02",
	} {
		conn, err := net.Dial("tcp", b.address())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, header+opening)
		if answer, _ := bufio.NewReader(conn).ReadString('\n'); !strings.HasPrefix(answer, "HTTP/1.1 400 ") {
			t.Errorf("%q is answered by %q", header, answer)
		}
		conn.Close()
	}
}

// TestPROXYHeaderThatIsMissing: a trusted proxy that does not say whom it brings
// is turned away, and the log says why.
func TestPROXYHeaderThatIsMissing(t *testing.T) {
	b := serve(t, target(t, echo), "--proxy-protocol", "127.0.0.0/8")
	conn, err := net.Dial("tcp", b.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, opening)
	if answer, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
		t.Errorf("it is answered by %q", answer)
	}
	b.await(`bad PROXY header: the connection begins with .*GET / HTTP/1`)
}

const nginxFront = `
server {
  listen %[1]s;
  location / {
    proxy_pass http://%[2]s;
    proxy_bind ` + front + `;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $http_connection;
    %[3]s
  }
}
`

// TestClientAddressByHeader: behind a real nginx that is trusted the client is
// whom nginx says, whatever the client itself says; behind one that is not, it
// is nginx.
func TestClientAddressByHeader(t *testing.T) {
	const legacy = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
	const standard = `proxy_set_header Forwarded "$http_forwarded, for=\"$remote_addr:$remote_port\";proto=$scheme";`
	tests := []struct {
		name, sets string
		options    []string
		want       string // what the target hears begins with it
	}{
		{"X-Forwarded-For", legacy, []string{"--trusted-proxy", front}, "TCP4 127.0.0.1 "},
		{"Forwarded", standard, []string{"--trusted-proxy", front, "--trusted-proxy-header", "forwarded"}, "TCP4 127.0.0.1 "},
		{"nobody trusted", legacy, nil, "TCP4 " + front + " "},
		{"somebody else trusted", legacy, []string{"--trusted-proxy", "10.0.0.0/8,unix"}, "TCP4 " + front + " "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := serve(t, target(t, echo), append(tt.options, "--send-proxy", "v1")...)
			door := freeport.Address(t)
			startNginx(t, t.TempDir(), door, fmt.Sprintf(nginxFront, door, b.address(), tt.sets))
			got, _ := announced(t, door, false, "X-Forwarded-For: 6.6.6.6", `Forwarded: for="6.6.6.6`)
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("the target hears %q, want %s", got, tt.want)
			}
		})
	}
}

const proxyTarget = `
defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 1m
frontend target
  bind %s accept-proxy
  http-request return status 200 content-type text/plain lf-string "from %%[src]:%%[src_port] to %%[dst]:%%[dst_port] name %%[fc_pp_authority]\n"
`

const nginxTarget = `
server {
  listen %[1]s proxy_protocol;
  return 200 "from $proxy_protocol_addr:$proxy_protocol_port to $proxy_protocol_server_addr:$proxy_protocol_server_port\n";
}
`

// TestTargetHearsOfItsClient: real servers that want a PROXY header get one they
// understand, of either version; by TLS they hear the name that was asked for.
func TestTargetHearsOfItsClient(t *testing.T) {
	need(t, "haproxy", "nginx", "node", modules, "openssl")
	cert := certify(t, t.TempDir(), "localhost")
	servers := map[string]func(t *testing.T, address string){
		"haproxy": func(t *testing.T, address string) {
			start(t, nil, "haproxy", "-db", "-f", write(t, t.TempDir(), "haproxy.cfg", fmt.Appendf(nil, proxyTarget, address)))
		},
		"nginx": func(t *testing.T, address string) {
			startNginx(t, t.TempDir(), address, fmt.Sprintf(nginxTarget, address))
		},
	}
	for server, begin := range servers {
		address := freeport.Address(t)
		begin(t, address)
		eventually(t, server+" listens", func() bool { return answers(address) })
		for _, version := range []string{"v1", "v2"} {
			t.Run(server+" "+version, func(t *testing.T) {
				b := serve(t, address, append(cert.options(), "--send-proxy", version)...)
				ends := `from 127\.0\.0\.1:[1-9]\d* to 127\.0\.0\.1:` + b.port
				for _, scheme := range []string{"ws", "wss"} {
					client := connect(t, scheme+"://localhost:"+b.port+"/")
					client.say("GET / HTTP/1.0\r\n\r\n")
					if server == "haproxy" && version == "v2" && scheme == "wss" {
						client.await(ends + ` name localhost`)
					} else {
						client.await(ends)
					}
				}
			})
		}
	}
}

const opening = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

var proxyLine = regexp.MustCompile(`PROXY (TCP4 \S+ \S+ \d+ \d+)`)

// announced opens a session at address with a target that echoes, and returns
// the PROXY header of version 1 that comes back, and where the client came from.
func announced(t *testing.T, address string, secure bool, lines ...string) (header string, from net.Addr) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	from = conn.LocalAddr()
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	request := opening
	for _, line := range lines {
		request = strings.Replace(request, "\r\n\r\n", "\r\n"+line+"\r\n\r\n", 1)
	}
	io.WriteString(conn, request)
	in := bufio.NewReader(conn)
	if answer, err := http.ReadResponse(in, nil); err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("no session: %+v, %v", answer, err)
	}
	said, err := in.ReadString('\n')
	found := proxyLine.FindStringSubmatch(said)
	if found == nil {
		t.Fatalf("the target hears %q, %v", said, err)
	}
	return found[1], from
}

// announcement is of a client from an address who connected to another.
func announcement(from net.Addr, to string) string {
	client := from.(*net.TCPAddr)
	host, port, _ := net.SplitHostPort(to)
	return fmt.Sprintf("TCP4 %s %s %d %s", client.IP, host, client.Port, port)
}
