//go:build linux

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const novnc = "/usr/share/novnc"

// TestDesktopInBrowser is what wsbridge is for: a person opens noVNC, which
// the bridge itself serves, in a browser and works on a real X desktop behind
// the bridge. The picture is right tile by tile, the mouse selects and pastes
// a word, and what is typed into an xterm is done: a file is written, and the
// desktop takes another colour, which the browser shows.
func TestDesktopInBrowser(t *testing.T) {
	need(t, "node", modules, "chromium", novnc+"/vnc.html", "openssl")
	for page, socket := range map[string]string{"http": "ws", "https": "wss"} {
		t.Run(socket, func(t *testing.T) {
			d := startDesktop(t)
			options := append(certify(t, t.TempDir(), "localhost").options(), "--web", novnc)
			b := serve(t, d.address, options...)
			useDesktop(t, d, b.url(page), "desktop-"+socket)
		})
	}
}

// useDesktop is a person who opens noVNC at url and works on d: the picture is
// right tile by tile, a word is pasted by mouse into a file, and the desktop
// takes the colour that is typed.
func useDesktop(t *testing.T, d desktop, url, name string) {
	t.Helper()
	m, ink, paper, plain := newMosaic(), colour{240, 120, 20}, colour{20, 40, 110}, colour{36, 104, 172}
	d.paint(m, ink, paper)
	d.openTerminal("sesame")
	file := filepath.Join(t.TempDir(), "written")
	browse(t, task{
		URL:    url + "vnc.html?autoconnect=true&resize=off",
		Before: m.picture(ink, paper).pixels(terminal),
		After:  solid(plain).pixels(terminal),
		Word:   word,
		File:   file,
		Colour: plain.hex(),
		Shots:  shots(t, name),
	})
	if got := string(read(t, file)); got != "sesame\n" {
		t.Errorf("the file holds %q, the mouse pasted %q", got, "sesame\n")
	}
	if have(file + ".astray") {
		t.Error("what was typed beside the xterm arrived in it")
	}
}

// task is what desktop.mjs does and must see in the browser.
type task struct {
	URL      string  `json:"url"` // of noVNC's page
	Chromium string  `json:"chromium"`
	Before   []pixel `json:"before"` // on the canvas at first
	After    []pixel `json:"after"`  // and at last
	Word     [2]int  `json:"word"`   // where a word is, to be pasted
	File     string  `json:"file"`   // where to
	Colour   string  `json:"colour"` // the desktop's new one
	Shots    string  `json:"shots"`  // where screenshots go: a path's beginning
}

func browse(t *testing.T, todo task) {
	t.Helper()
	todo.Chromium, _ = exec.LookPath("chromium")
	told, err := json.Marshal(todo)
	if err != nil {
		t.Fatal(err)
	}
	start(t, nil, "node", "desktop.mjs", string(told)).succeed()
}

// shots is where a test's screenshots stay to be looked at.
func shots(t *testing.T, name string) string {
	t.Helper()
	if err := os.MkdirAll("shots", 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join("shots", name)
}
