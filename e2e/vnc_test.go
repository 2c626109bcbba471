//go:build linux

package e2e

import (
	"fmt"
	"image"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

// desktop is a running Xvnc.
type desktop struct {
	t       *testing.T
	address string // where it speaks VNC
	display string
}

// startDesktop starts Xvnc on a free display and a free port.
func startDesktop(t *testing.T) desktop {
	t.Helper()
	need(t, "Xvnc", "xsetroot", "xterm")
	port := freeport.Port(t)
	x := start(t, nil, "sh", "-c", `exec Xvnc -displayfd 1 -ac -nolisten tcp -localhost \
		-SecurityTypes None -geometry "$1" -depth 24 -rfbport "$2"`,
		"Xvnc", fmt.Sprintf("%dx%d", screen.Dx(), screen.Dy()), port)
	display := ":" + x.await(`(?m)^(\d+)$`)[1]
	d := desktop{t, net.JoinHostPort("127.0.0.1", port), display}
	eventually(t, "Xvnc listens", func() bool { return answers(d.address) })
	return d
}

// run starts an X program on the desktop.
func (d desktop) run(name string, args ...string) *process {
	d.t.Helper()
	return start(d.t, func(c *exec.Cmd) {
		c.Env = append(os.Environ(), "DISPLAY="+d.display)
	}, name, args...)
}

// paint puts the mosaic on the root window.
func (d desktop) paint(m mosaic, ink, paper colour) {
	d.t.Helper()
	file := write(d.t, d.t.TempDir(), "mosaic.xbm", m.xbm())
	d.run("xsetroot", "-bitmap", file, "-fg", ink.hex(), "-bg", paper.hex()).succeed()
}

// terminal is where the xterm is, and a little around it.
var terminal = image.Rect(190, 130, 460, 270)

// word is the middle of the first word on it.
var word = [2]int{221, 149}

// openTerminal opens an xterm with a shell, and a word on its first line.
func (d desktop) openTerminal(word string) {
	d.t.Helper()
	ready := filepath.Join(d.t.TempDir(), "ready")
	d.run("xterm", "-xrm", "*multiClickTime: 20000", "-geometry", "40x8+200+140", "-fn", "fixed", "+sb", "-e", // slow clicks are double, too
		"sh", "-c", `echo "$1"; touch "$2"; PS1='$ ' exec sh`, "sh", word, ready)
	eventually(d.t, "the xterm's shell starts", func() bool { return have(ready) })
}
