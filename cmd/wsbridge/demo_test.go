package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wsbridge/wsbridge/listen"
)

// demoStatus runs "wsbridge demo" with args and returns its exit status.
func demoStatus(ctx context.Context, stderr io.Writer, args ...string) int {
	return run(ctx, append([]string{"demo"}, args...), nil, strings.NewReader(""), io.Discard, stderr)
}

// startDemo starts the demo on a free port and returns its address. At the end
// of the test it must stop with status 0.
func startDemo(t *testing.T) (address string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	said := &process{changed: make(chan struct{})}
	ended := make(chan int, 1)
	go func() { ended <- demoStatus(ctx, said, "0") }()
	t.Cleanup(func() {
		cancel()
		if status := <-ended; status != 0 {
			t.Errorf("the demo ended with status %d", status)
		}
	})
	late := time.After(patience)
	for {
		text, changed := said.read()
		if found := regexp.MustCompile(`(?m)^Open http://(127\.0\.0\.1:\d+)/ in a browser`).FindStringSubmatch(text); found != nil {
			return found[1]
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("no URL in what the demo wrote:\n%s", text)
		}
	}
}

func TestDemoServesItsPage(t *testing.T) {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + startDemo(t) + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil || !bytes.Contains(page, []byte("<title>wsbridge demo</title>")) {
		t.Errorf("the page is not the demo's (error %v):\n%s", err, page)
	}
	if policy := answer.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none';") {
		t.Errorf("Content-Security-Policy: %q", policy)
	}
}

func TestDemoSessionTalksToTheHallAndEndsWith1000(t *testing.T) {
	conn, err := net.DialTimeout("tcp", startDemo(t), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, "GET /session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: h3aOngl22xTlrMuoCGC4+w==\r\n\r\n")
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v, error %v", answer, err)
	}
	readPast(t, in, "Welcome to the hall")
	conn.Write([]byte("\x82\x84\x00\x00\x00\x00bye\n")) // binary, masked with zeros
	readPast(t, in, "Goodbye, ")
	readPast(t, in, "\x88\x0f\x03\xe8target closed") // Close, 1000
}

// readPast reads until it has read want.
func readPast(t *testing.T, in io.ByteReader, want string) {
	t.Helper()
	var got []byte
	for !bytes.HasSuffix(got, []byte(want)) {
		b, err := in.ReadByte()
		if err != nil {
			t.Fatalf("waiting for %q: %v (had %q)", want, err, got)
		}
		got = append(got, b)
	}
}

func TestDemoOnATakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	var stderr strings.Builder
	status := demoStatus(context.Background(), &stderr, fmt.Sprint(port))
	want := fmt.Sprintf("wsbridge: error: port %d is already in use\n"+
		"hint: choose another port: wsbridge demo 8080; 0 takes one that is free\n", port)
	if status != 1 || stderr.String() != want {
		t.Errorf("status %d, want 1; said:\n%swant:\n%s", status, stderr.String(), want)
	}
}

func TestDemoAddress(t *testing.T) {
	tests := []struct {
		option string
		args   []string
		want   listen.Address
	}{
		{"", nil, listen.Address{Host: "127.0.0.1", Port: 6080}},
		{"", []string{"8080"}, listen.Address{Host: "127.0.0.1", Port: 8080}},
		{"8080", nil, listen.Address{Host: "127.0.0.1", Port: 8080}},
		{":8080", nil, listen.Address{Port: 8080}},
		{"", []string{"[::1]:0"}, listen.Address{Host: "::1"}},
	}
	for _, tt := range tests {
		if got, err := demoAddress(tt.option, tt.args); err != nil || got != tt.want {
			t.Errorf("demoAddress(%q, %q) = %v, %v; want %v", tt.option, tt.args, got, err, tt.want)
		}
	}
}

func TestDemoUsageErrors(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"65536"}, "port 65536 is out of range"},
		{[]string{"--listen", "six"}, `port "six" is not a number`},
		{[]string{"6080", "localhost:5900"}, "accepts at most 1 arg"},
		{[]string{"8080", "--listen", "8081"}, "two places to listen on\nhint: write one: wsbridge demo 8080\n"},
	}
	for _, tt := range tests {
		var stderr strings.Builder
		status := demoStatus(context.Background(), &stderr, tt.args...)
		if status != 2 || !strings.Contains(stderr.String(), tt.want) {
			t.Errorf("demo %q: status %d, want 2; said %q, want %q in it", tt.args, status, stderr.String(), tt.want)
		}
	}
}

func TestDemoSaysWhoCanOpenIt(t *testing.T) {
	const ours, everyone = "Only this machine", "Whoever reaches this machine"
	tests := []struct{ ip, host, who string }{
		{"127.0.0.1", "127.0.0.1", ours},
		{"::1", "::1", ours},
		{"0.0.0.0", "localhost", everyone},
		{"::", "localhost", everyone},
		{"192.0.2.7", "192.0.2.7", everyone},
		{"2001:db8::7", "2001:db8::7", everyone},
	}
	for _, tt := range tests {
		text, who := demoURL(&net.TCPAddr{IP: net.ParseIP(tt.ip), Port: 6080})
		page, err := url.Parse(text)
		if err != nil || page.Hostname() != tt.host || page.Port() != "6080" || who != tt.who {
			t.Errorf("on %s: %s, %s (error %v); want host %s, %s", tt.ip, text, who, err, tt.host, tt.who)
		}
	}
}
