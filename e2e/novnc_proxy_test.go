//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

// TestUnderTheAncestorsName: noVNC's own starter finds the bridge under the
// name websockify, starts it with its command line, and all works.
func TestUnderTheAncestorsName(t *testing.T) {
	starter := novnc + "/utils/novnc_proxy"
	need(t, starter, "bash", "ps", "hostname", "node", modules)
	d, dir, port := startDesktop(t), t.TempDir(), freeport.Port(t)
	if err := os.Symlink(os.Getenv("E2E_WSBRIDGE"), filepath.Join(dir, "websockify")); err != nil {
		t.Fatal(err)
	}
	start(t, func(c *exec.Cmd) {
		c.Dir = dir
		c.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	}, starter, "--listen", port, "--vnc", d.address, "--heartbeat", "30").await(`Navigate to this URL`)
	if page := get("http://127.0.0.1:" + port + "/vnc.html"); !strings.Contains(page, "noVNC") {
		t.Errorf("/vnc.html is %q", page)
	}
	connect(t, "ws://127.0.0.1:"+port+"/websockify").await(`RFB 003\.008`)
}
