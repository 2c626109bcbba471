package main

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/rogpeppe/go-internal/testscript"
)

// serve NAME TEXT [ADDRESS]: a target says TEXT to whoever comes. $NAME is its
// address, and $NAMEPORT its port. ADDRESS may be a socket's path.
func serveText(ts *testscript.TestScript, _ bool, args []string) {
	network, address := "tcp", "127.0.0.1:0"
	if len(args) > 2 {
		address = args[2]
	}
	if strings.Contains(address, "/") {
		network, address = "unix", ts.MkAbs(address)
	}
	l, err := net.Listen(network, address)
	ts.Check(err)
	hold(ts, l, args[1])
	ts.Setenv(args[0], l.Addr().String())
	if _, port, err := net.SplitHostPort(l.Addr().String()); err == nil {
		ts.Setenv(args[0]+"PORT", port)
	}
}

// hold serves text at l to the script's end.
func hold(ts *testscript.TestScript, l net.Listener, text string) {
	ts.Defer(func() { l.Close() })
	go sayTo(l, text)
}

func sayTo(l net.Listener, text string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, text)
		conn.Close()
	}
}

// files NAME DIR: $NAME is the URL of a server of the files in DIR, whatever the
// method. None of their names is long or has an escaped character.
func serveFiles(ts *testscript.TestScript, _ bool, args []string) {
	files := http.FileServer(http.Dir(ts.MkAbs(args[1])))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := r.URL.EscapedPath(); strings.Contains(path, "%") || len(path) > 255 {
			http.NotFound(w, r)
			return
		}
		files.ServeHTTP(w, r)
	}))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}

// redis NAME: a redis-server listens at the port $NAME.
func redis(ts *testscript.TestScript, _ bool, args []string) {
	port := quietPort(ts)
	ts.Check(os.Mkdir(ts.MkAbs("redis"), 0o700))
	cmd := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", ts.MkAbs("redis"), "--requirepass", "s3cret")
	ts.Check(cmd.Start())
	ts.Defer(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for late := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
			break
		}
		if time.Now().After(late) {
			ts.Fatalf("redis-server does not listen: %v", err)
		}
	}
	ts.Setenv(args[0], port)
}

// quietPort is a free one that no system gives away by itself, for a program
// that cannot choose.
func quietPort(ts *testscript.TestScript) string {
	for range 100 {
		port := strconv.Itoa(20_000 + rand.IntN(10_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	ts.Fatalf("no port is free")
	return ""
}

// expand FILE...: names in the files are replaced by what they stand for.
func expand(ts *testscript.TestScript, _ bool, files []string) {
	for _, name := range files {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

// huge NAME: $NAME is a megabyte long.
func huge(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.Repeat("k3y", 1<<20/3))
}

// jwt NAME KEY CLAIMS: $NAME is a token with the claims of a file, signed with
// the key in another: PEM, or else a secret in its first line. jwe signs and
// encrypts.
func jwt(ts *testscript.TestScript, _ bool, args []string) {
	key, alg, _ := keyOf(ts, args[1])
	ts.Setenv(args[0], signed(ts, key, alg, ts.ReadFile(args[2])))
}

func jwe(ts *testscript.TestScript, _ bool, args []string) {
	key, alg, recipient := keyOf(ts, args[1])
	encrypter, err := jose.NewEncrypter(jose.A256GCM, recipient, nil)
	ts.Check(err)
	object, err := encrypter.Encrypt([]byte(signed(ts, key, alg, ts.ReadFile(args[2]))))
	ts.Check(err)
	token, err := object.CompactSerialize()
	ts.Check(err)
	ts.Setenv(args[0], token)
}

func signed(ts *testscript.TestScript, key any, alg jose.SignatureAlgorithm, claims string) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	ts.Check(err)
	object, err := signer.Sign([]byte(claims))
	ts.Check(err)
	token, err := object.CompactSerialize()
	ts.Check(err)
	return token
}

func keyOf(ts *testscript.TestScript, file string) (key any, alg jose.SignatureAlgorithm, to jose.Recipient) {
	text := []byte(ts.ReadFile(file))
	block, _ := pem.Decode(text)
	if block == nil {
		text = bytes.TrimRight(text, "\n")
		return text, jose.HS256, jose.Recipient{Algorithm: jose.A256KW, Key: text}
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	ts.Check(err)
	public := private.(crypto.Signer).Public()
	return private, jose.RS256, jose.Recipient{Algorithm: jose.RSA_OAEP_256, Key: public}
}

// upgrade STATUS URL [HEADER: VALUE]...: a new client asks for a session, and
// this is the answer's status. In stdout is what the target says; of a refusal
// its head and body. The URL's scheme is ws, wss or unix. With ! there is no
// answer at all.
func upgrade(ts *testscript.TestScript, neg bool, args []string) {
	want, address, header := args[0], args[1], args[2:]
	status, text, err := ask(ts, address, header)
	if neg && err != nil {
		return
	}
	ts.Check(err)
	io.WriteString(ts.Stdout(), text)
	if strconv.Itoa(status) != want {
		ts.Fatalf("status %d, want %s:\n%s", status, want, text)
	}
}

// hostile URL GOOD: tokens that are not good, made from the good one, are
// appended to the URL, and none leads anywhere.
func hostile(ts *testscript.TestScript, _ bool, args []string) {
	good := args[1]
	for _, token := range []string{
		"..", "../" + good, "../../" + good, "..%2f" + good, "%2e%2e%2f" + good, "/" + good, good + "/..",
		"%00", good + "%00", good + "%00.png", good + "%0d", good + "%0d%0aX:%20y", "%0a" + good, "+" + good, good + "%20",
		"%ff%fe", "*", "%25s", "%s", "$(" + good + ")", strings.Repeat(good, 1<<13/len(good)), strings.Repeat(good, 1<<20/len(good)),
	} {
		status, text, err := ask(ts, args[0]+token, nil)
		if err != nil || status < 400 || status >= 500 {
			ts.Fatalf("token %.60s: status %d, %v:\n%s", token, status, err, text)
		}
	}
}

// guess URL: one address guesses passwords until even the right one is answered
// with 429.
func guess(ts *testscript.TestScript, _ bool, args []string) {
	for n := range 100 {
		if login(ts, args[0], fmt.Sprint(n)) == http.StatusTooManyRequests &&
			login(ts, args[0], "s3cret") == http.StatusTooManyRequests {
			return
		}
	}
	ts.Fatalf("a hundred guesses, and never too many")
}

func login(ts *testscript.TestScript, address, password string) (status int) {
	request, err := http.NewRequest(http.MethodGet, address, nil)
	ts.Check(err)
	request.SetBasicAuth("me", password)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	answer, err := client.Do(request)
	ts.Check(err)
	defer answer.Body.Close()
	return answer.StatusCode
}

// ask is one client from an address of its own: wrong guesses are counted.
func ask(ts *testscript.TestScript, address string, header []string) (status int, text string, err error) {
	scheme, rest, _ := strings.Cut(address, "://")
	host, path, _ := strings.Cut(rest, "/")
	conn, err := dial(ts, scheme, host)
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	return askOn(conn, host, path, header)
}

func askOn(conn net.Conn, host, path string, header []string) (status int, text string, err error) {
	if !strings.Contains("\n"+strings.Join(header, "\n"), "\nHost:") {
		header = append(header, "Host: "+host)
	}
	go fmt.Fprintf(conn, "GET /%s HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: h3aOngl22xTlrMuoCGC4+w==\r\n%s\r\n\r\n", path, strings.Join(header, "\r\n"))
	return answer(conn)
}

// dial gives wss the certificate that $CLIENT_CERT names.
func dial(ts *testscript.TestScript, scheme, host string) (conn net.Conn, err error) {
	if scheme == "unix" {
		conn, err = net.Dial("unix", ts.MkAbs(host))
	} else {
		conn, err = fromAnywhere(host).Dial("tcp", host)
	}
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	if scheme != "wss" {
		return conn, nil
	}
	config := &tls.Config{InsecureSkipVerify: true}
	if name := ts.Getenv("CLIENT_CERT"); name != "" {
		pair, err := tls.LoadX509KeyPair(ts.MkAbs(name), ts.MkAbs(name))
		ts.Check(err)
		config.Certificates = []tls.Certificate{pair}
	}
	return tls.Client(conn, config), nil
}

// fromAnywhere dials IPv4 loopback from a loopback address that is like no
// other.
func fromAnywhere(host string) *net.Dialer {
	if strings.HasPrefix(host, "[") {
		return &net.Dialer{}
	}
	from := net.IPv4(127, byte(rand.IntN(256)), byte(rand.IntN(256)), 2)
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
}

// answer reads what comes of an upgrade.
func answer(conn net.Conn) (status int, text string, err error) {
	in := bufio.NewReader(conn)
	head, err := http.ReadResponse(in, nil)
	if err != nil {
		return 0, "", err
	}
	if head.StatusCode != http.StatusSwitchingProtocols {
		var b strings.Builder
		err = head.Write(&b)
		return head.StatusCode, b.String(), err
	}
	text, err = frames(in)
	return head.StatusCode, text, err
}

// frames reads short frames up to a Close, which it gives as "close CODE REASON".
func frames(in *bufio.Reader) (text string, err error) {
	for {
		var head [2]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return text, err
		}
		payload := make([]byte, head[1])
		if _, err := io.ReadFull(in, payload); err != nil {
			return text, err
		}
		if head[0] == 0x88 && len(payload) >= 2 {
			return fmt.Sprintf("%s\nclose %d %s\n", text, int(payload[0])<<8|int(payload[1]), payload[2:]), nil
		}
		text += string(payload)
	}
}
