//go:build linux

package e2e

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sentinel is what must not be seen.
const sentinel = "SENTINEL"

// climbs are ways out of a folder, to a path from the folder above it.
func climbs(to string) (all []string) {
	for _, up := range []string{
		"..", "%2e%2e", "%2E.", "%252e%252e", "%25252e%25252e", "..;", "....", ".%00.", "..%00", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae",
		"%f0%80%80%ae%f0%80%80%ae", "%uff0e%uff0e", "\xc0\xae\xc0\xae", "%ef%bc%8e%ef%bc%8e", "..%20", "..%0d%0a", "..%09",
	} {
		for _, slash := range []string{"/", "%2f", "%252f", "\\", "%5c", "%255c", "%c0%af", "//", "/./", "%e2%88%95"} {
			all = append(all, up+slash+to, "sub"+slash+up+slash+up+slash+to, up+slash+up+slash+"outside"+slash+to)
		}
	}
	return append(all, "/"+to, "//"+to, "/./../"+to, "link.txt", to, "file:///"+to)
}

// TestAbuseOfPaths: no path leads to a file outside the folder that is served,
// whatever it is written in; nor does a token out of its folder.
func TestAbuseOfPaths(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "outside", "secret.txt")
	put(t, secret, sentinel)
	put(t, dir+"/secret.txt", sentinel)
	put(t, dir+"/web/sub/page.txt", "page")
	hidden := target(t, func(c net.Conn) { io.WriteString(c, sentinel) })
	put(t, dir+"/secret", "secret: "+hidden+"\n../secret: "+hidden+"\n")
	put(t, dir+"/tokens/all", "known: "+target(t, echo)+"\n")
	s := besiege(t, "--web", dir+"/web")
	paths := climbs("secret.txt")
	for i := range paths {
		paths[i] = "/" + paths[i]
	}
	paths = append(paths, secret, "http://x/../secret.txt", "http://x"+secret, "file://"+secret, "*")
	for _, path := range paths {
		for _, method := range []string{"GET ", "POST ", "HEAD "} {
			if got := raw(t, s.address(), method+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); strings.Contains(got, sentinel) || strings.HasPrefix(got, "HTTP/1.1 5") {
				t.Errorf("%s%q: %q", method, path, got)
			}
		}
	}
	s.well(t)

	tokens := serveTokens(t, "--token-plugin", "TokenFile", "--token-source", dir+"/tokens")
	sockets := serveTokens(t, "--token-plugin", "UnixDomainSocketDirectory", "--token-source", dir+"/tokens")
	for _, token := range climbs("secret") {
		for _, b := range []bridge{tokens, sockets} {
			lines := strings.Join(upgrading("/?token="+token, "Host: x", "Connection: close"), "\r\n") + "\r\n\r\n"
			if got := raw(t, b.address(), lines); strings.Contains(got, sentinel) || !strings.HasPrefix(got, "HTTP/1.1 4") {
				t.Errorf("token %q: %q", token, got)
			}
		}
	}
}

// serveTokens starts a bridge whose tokens say where to.
func serveTokens(t *testing.T, options ...string) bridge {
	t.Helper()
	p := start(t, nil, os.Getenv("E2E_WSBRIDGE"), append(options, "127.0.0.1:0")...)
	t.Cleanup(p.sound)
	return bridge{p, p.await(`Listen on 127\.0\.0\.1:([1-9]\d*)`)[1]}
}

// raw is all that is answered to text.
func raw(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience / 8))
	io.WriteString(conn, text)
	got, err := io.ReadAll(conn)
	if err != nil && failing(err) == "silence" {
		t.Errorf("%q is answered by %q, and goes on", text, got)
	}
	return string(got)
}
