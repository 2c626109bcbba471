//go:build linux

package e2e

import (
	"bytes"
	"os/exec"
	"strconv"
	"testing"
)

// TestClientsEchoEverySize: three client libraries send messages of the sizes
// where a frame's header changes its form, and get every byte back. Message
// boundaries need not survive: the target is a stream.
func TestClientsEchoEverySize(t *testing.T) {
	packages := "/usr/lib/python3/dist-packages/"
	for _, client := range []struct {
		name    string
		needs   []string
		command []string
	}{
		{"Node ws", []string{"node", modules}, []string{"node", "echo.mjs"}},
		{"Python websockets", []string{python, packages + "websockets"}, []string{python, "echo_websockets.py"}},
		{"Python websocket-client", []string{python, packages + "websocket"}, []string{python, "echo_websocket_client.py"}},
	} {
		t.Run(client.name, func(t *testing.T) {
			need(t, client.needs...)
			b := serve(t, target(t, echo))
			echoes(t, append(client.command, b.url("ws")))
		})
	}
}

func echoes(t *testing.T, command []string) {
	t.Helper()
	sum := 0
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20} {
		command = append(command, strconv.Itoa(size))
		sum += size
	}
	sent := noise(sum)
	var got bytes.Buffer
	start(t, func(c *exec.Cmd) {
		c.Stdin, c.Stdout = bytes.NewReader(sent), &got
	}, command[0], command[1:]...).succeed()
	if !bytes.Equal(got.Bytes(), sent) {
		t.Errorf("%d bytes came back of %d; the first difference is at byte %d",
			got.Len(), len(sent), firstDifference(got.Bytes(), sent))
	}
}

func firstDifference(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
