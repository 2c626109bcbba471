//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStatusPage: an administrator watches two sessions in a browser, sees what
// they carried, and ends one.
func TestStatusPage(t *testing.T) {
	need(t, "node", modules, "chromium")
	b := serve(t, target(t, echo), "--admin", "0", "--end-timeout", "1")
	admin := b.await(`Administration on (127[0-9.:]*)`)[1]
	shot := filepath.Join(shots(t, "status"), "status.png")
	p := start(t, nil, "node", "status.mjs", "http://"+admin+"/status.html", b.url("ws"), shot)
	p.succeed()
	for _, want := range []string{"to target: ", "closed: 1001 ended by the administrator", "one is left"} {
		if !strings.Contains(p.out.String(), want) {
			t.Errorf("no %q in\n%s", want, p.out)
		}
	}
	if strings.Contains(p.out.String(), "console:") || strings.Contains(p.out.String(), "page:") {
		t.Errorf("the page complains:\n%s", p.out)
	}
	if _, err := os.Stat(shot); err != nil {
		t.Error(err)
	}
}
