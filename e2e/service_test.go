//go:build linux

package e2e

import (
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFlashPolicy: an old Flash client asks who may come in, and is told.
func TestFlashPolicy(t *testing.T) {
	b := serve(t, target(t, echo))
	c, err := net.Dial("tcp", b.address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "<policy-file-request/>\x00")
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"<cross-domain-policy>", `to-ports="` + b.port + `"`, "</cross-domain-policy>\x00"} {
		if !strings.Contains(string(answer), part) {
			t.Errorf("the policy is %q, want %q in it", answer, part)
		}
	}
}

// TestShutdownTellsEverybody: SIGTERM ends the bridge; whoever is connected is
// told 1001, and the exit code is 0.
func TestShutdownTellsEverybody(t *testing.T) {
	b := serve(t, target(t, echo))
	var clients []dialogue
	for range 3 {
		client := connect(t, b.url("ws"))
		client.say("here\n")
		client.await("here")
		clients = append(clients, client)
	}
	b.signal(syscall.SIGTERM)
	for _, client := range clients {
		client.await(`closed 1001`)
	}
	b.succeed()
}
