//go:build linux

package e2e

import (
	"os"
	"testing"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

// TestSocketActivation: systemd's own tool opens the sockets, and starts the
// bridge when the first client knocks; that client is served, too.
func TestSocketActivation(t *testing.T) {
	const tool = "systemd-socket-activate"
	need(t, tool)
	web, admin := freeport.Port(t), freeport.Port(t)
	p := start(t, nil, tool, "--listen=127.0.0.1:"+web, "--listen=127.0.0.1:"+admin, "--fdname=web:admin",
		os.Getenv("E2E_WSBRIDGE"), "systemd:web", "--admin", "systemd:admin", target(t, echo))
	p.await(`Listening on 127\.0\.0\.1:` + admin)
	for range 3 {
		v, err := enter("127.0.0.1:"+web, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.echo(noise(10_000)); err != nil {
			t.Error(err)
		}
		if err := v.leave(); err != nil {
			t.Error(err)
		}
	}
	p.await(`Administration on 127\.0\.0\.1:` + admin)
	p.await(`proxying from 127\.0\.0\.1:` + web + ` to `)
}
