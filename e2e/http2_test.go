//go:build linux

package e2e

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// leaver says back what it hears, and leaves when told to.
func leaver(c net.Conn) {
	in := bufio.NewReader(c)
	if word, err := in.Peek(6); err == nil && string(word) == "leave\n" {
		return
	}
	io.Copy(c, in)
}

// TestBrowserOverHTTP2: a browser that got its page over HTTP/2 has its sessions
// come over the same connection, whatever is behind the bridge, end as they
// should, and hear of a shutdown.
func TestBrowserOverHTTP2(t *testing.T) {
	need(t, "openssl", "node", modules, "chromium")
	cert := certify(t, t.TempDir(), "localhost")
	for _, tc := range []struct{ name, scheme, atShutdown string }{
		{"bytes", "", "1001 bridge shutting down clean"},
		{"messages", "ws://", "1001 bridge shutting down clean"},
		{"handshake passed through", "passthrough+ws://", "1006  not clean"}, // the frames are the target's
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := target(t, leaver)
			if tc.scheme != "" {
				to = tc.scheme + serve(t, to).address()
			}
			b := serve(t, to, append(cert.options(), "--pages", "--end-timeout", "5")...)
			p := start(t, nil, "node", "http2.mjs", b.url("https"))
			p.await("asked to leave: ready")
			b.signal(syscall.SIGTERM)
			p.succeed()
			for _, want := range []string{"page over h2", "same bytes, 4000  clean", "target ends: 1000 target closed clean", "at shutdown: " + tc.atShutdown} {
				if !strings.Contains(p.out.String(), want+"\n") {
					t.Errorf("no %q in\n%s", want, p.out)
				}
			}
			b.wait()
			if on := b.connections(); len(on) != 1 {
				t.Errorf("sessions by connection: %v", on)
			}
		})
	}
}

// connections counts the sessions that have ended, by the client's address.
func (b bridge) connections() map[string]int {
	n := map[string]int{}
	for _, line := range regexp.MustCompile(`session ended" client=(\S+)`).FindAllStringSubmatch(b.out.String(), -1) {
		n[line[1]]++
	}
	return n
}

// TestCurlOverHTTP2: pages are served over HTTP/2 to who asks for it, and over
// HTTP/1.1 with --http2 off.
func TestCurlOverHTTP2(t *testing.T) {
	need(t, "openssl", "curl")
	dir := t.TempDir()
	write(t, dir, "page.txt", []byte(strings.Repeat("a page\n", 100_000)))
	cert := certify(t, t.TempDir(), "localhost")
	for mode, want := range map[string]string{"on": "2", "off": "1.1"} {
		b := serve(t, target(t, echo), append(cert.options(), "--web", dir, "--http2", mode)...)
		got := filepath.Join(t.TempDir(), "got")
		p := start(t, nil, "curl", "--silent", "--show-error", "--http2", "--cacert", cert.cert, "--output", got, "--write-out", "over %{http_version}\n", b.url("https")+"page.txt")
		p.succeed()
		if !strings.Contains(p.out.String(), "over "+want+"\n") {
			t.Errorf("--http2 %s: %s", mode, p.out)
		}
		if body, err := os.ReadFile(got); err != nil || string(body) != strings.Repeat("a page\n", 100_000) {
			t.Errorf("--http2 %s: %d bytes, %v", mode, len(body), err)
		}
	}
}
