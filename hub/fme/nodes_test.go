package fme

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/hub/nats"
	"github.com/wsbridge/wsbridge/message"
)

// nodeOfTests is the variable that makes the test binary a node.
const nodeOfTests = "WSBRIDGE_TEST_NODE_OF"

// roomy is a hub whose queues never fill in a test of exact delivery.
func roomy(url string) *hub.Hub {
	quiet := slog.New(slog.DiscardHandler)
	return &hub.Hub{
		Engine: &nats.Engine{URL: url, Hub: "test", Log: quiet}, Log: quiet,
		Queue: hub.Queue{MaxBytes: 1 << 30, MaxMessages: 1 << 20},
	}
}

// runNode serves a hub on NATS until it is killed, or its input ends.
func runNode(engine string) {
	s := &Service{Hub: roomy(engine), Options: Options{Rate: -1}}
	if err := s.Hub.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(s, w, r) }))
	fmt.Println(web.Listener.Addr())
	io.Copy(io.Discard, os.Stdin)
}

// node is a hub in a process of its own.
type node struct {
	t       *testing.T
	address string
	cmd     *exec.Cmd
}

func startNode(t *testing.T, b broker) *node {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), nodeOfTests+"="+b.url())
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, cmd: cmd}
	t.Cleanup(n.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if n.address = strings.TrimSpace(line); err != nil {
		t.Fatalf("the node said %q: %v", line, err)
	}
	return n
}

// kill ends the node as a power cut does.
func (n *node) kill() {
	n.cmd.Process.Kill()
	n.cmd.Wait()
}

func (n *node) dial() *client {
	n.t.Helper()
	return dial(n.t, n.address, message.Options{FromServer: true})
}

// broker is a NATS server.
type broker struct {
	*server.Server
	own uint32 // subscriptions
}

// serveNATS runs a server; port 0: any.
func serveNATS(t *testing.T, port int) broker {
	t.Helper()
	if port == 0 {
		port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patienceOfTests) {
		t.Fatal("the NATS server is not ready")
	}
	return broker{s, s.NumSubscriptions()}
}

func (b broker) url() string { return "nats://" + b.Addr().String() }

func (b broker) port() int { return b.Addr().(*net.TCPAddr).Port }

// subscribed waits until nodes have so many subscriptions.
func (b broker) subscribed(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d subscriptions", n), func() bool { return b.NumSubscriptions() == b.own+uint32(n) })
}

// startOn is a rig on NATS.
func startOn(t *testing.T, b broker) *rig {
	t.Helper()
	return startRig(t, &Service{Hub: roomy(b.url()), Options: Options{Rate: -1}})
}
