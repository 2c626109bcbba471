package fme

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/hub/fme/console"
)

// TestConsoleInChromium uses the page as a person would, with another client
// at the hub. It needs Chromium and Node.js with playwright-core, as e2e has.
func TestConsoleInChromium(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	modules, _ := filepath.Abs("../../e2e/node_modules/playwright-core/index.mjs")
	if _, missing := os.Stat(modules); err != nil || missing != nil {
		t.Skipf("no Chromium (%v) or no playwright-core (%v)", err, missing)
	}
	s := &Service{Hub: &hub.Hub{}}
	r := startRigWith(t, s, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/websocket" {
			serve(s, w, req)
			return
		}
		http.StripPrefix("/fme", console.Handler("")).ServeHTTP(w, req)
	})
	other := r.opened("news")
	browser := exec.Command("node", "testdata/console.mjs", modules, chromium, r.server.URL+"/fme/", os.Getenv("WSBRIDGE_TEST_SHOTS"))
	browser.Stderr = os.Stderr
	in, err := browser.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := browser.Start(); err != nil {
		t.Fatal(err)
	}
	defer browser.Wait()
	defer in.Close()
	other.wantHear("hello from the page")
	other.send(`<b>hello</b> from the other`)
	io.WriteString(in, "sent\n")
	if err := browser.Wait(); err != nil {
		t.Errorf("in the browser: %v", err)
	}
	other.nothing()
}
