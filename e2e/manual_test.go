//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// onceServer stands in for the manual's telnetd, whose command line it takes:
// it greets one client and ends.
const onceServer = `#!/usr/bin/env python3
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", int(sys.argv[2])))
s.listen()
c, _ = s.accept()
c.sendall(b"login: ")
`

// example runs a line of websockify's manual as it stands there.
func example(t *testing.T, port, line string) bridge {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink(os.Getenv("E2E_WSBRIDGE"), filepath.Join(dir, "websockify")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(write(t, dir, "telnetd", []byte(onceServer)), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	words := strings.Fields(line)
	words[0] = filepath.Join(dir, words[0])
	return wrapBy(t, port, words...)
}

// TestManualRespawn: telnetd exits after each connection, and is there again.
func TestManualRespawn(t *testing.T) {
	need(t, "node", modules, "python3")
	b := example(t, "2023", "./websockify 2023 --wrap-mode=respawn -- telnetd -debug 2023")
	for range 2 {
		connect(t, b.url("ws")).await(`login: `)
	}
	b.signal(syscall.SIGTERM)
	b.succeed()
}

// TestManualDesktop: vncserver backgrounds itself; its port is served on.
func TestManualDesktop(t *testing.T) {
	need(t, "node", modules, "vncserver")
	home := t.TempDir()
	t.Setenv("HOME", home)
	if err := os.MkdirAll(filepath.Join(home, ".vnc"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, home, ".vnc/tigervnc.conf", []byte("$SecurityTypes = \"None\";\n"))
	os.Chmod(write(t, home, ".vnc/xstartup", []byte("#!/bin/sh\nexec sleep 1000\n")), 0o700)
	b := example(t, "5901", "./websockify 5901 --wrap-mode=ignore -- vncserver -geometry 1024x768 :1")
	connect(t, b.url("ws")).await(`RFB 003\.008`)
	b.signal(syscall.SIGTERM)
	b.succeed()
}
