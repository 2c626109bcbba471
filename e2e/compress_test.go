//go:build linux

package e2e

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// TestCompression: clients of others echo noise and text over every combination
// of permessage-deflate's parameters, with fragments, pings and messages that
// are not compressed between them, from a target of bytes and from one of
// messages.
func TestCompression(t *testing.T) {
	need(t, "node", modules, python, "/usr/lib/python3/dist-packages/websockets")
	b := serve(t, target(t, echo), "--compress", "on", "--route", "/messages=ws://"+upstream(t, "node", "upstream.mjs"))
	for _, client := range []struct {
		name    string
		command []string
		each    int // combinations
	}{
		{"Node ws", []string{"node", "compress.mjs"}, 64},
		{"Python websockets", []string{python, "compress_websockets.py"}, 36},
	} {
		t.Run(client.name, func(t *testing.T) {
			var out bytes.Buffer
			args := append(client.command[1:], b.url("ws"), b.url("ws")+"messages")
			start(t, func(c *exec.Cmd) { c.Stdout = &out }, client.command[0], args...).succeed()
			allGood(t, out.String(), 2*client.each)
		})
	}
}

// TestCompressionInABrowser: Chromium offers compression by itself, and is
// answered where the options say so.
func TestCompressionInABrowser(t *testing.T) {
	need(t, "node", modules, "chromium")
	b := serve(t, target(t, echo), "--pages", "--route", "/compressed="+target(t, echo)+" compress=on",
		"--route", "/messages=ws://"+upstream(t, "node", "upstream.mjs")+" compress=auto")
	var out bytes.Buffer
	start(t, func(c *exec.Cmd) { c.Stdout = &out }, "node", "compress_browser.mjs",
		b.url("http"), b.url("ws")+"compressed", b.url("ws")+"messages").succeed()
	allGood(t, out.String(), 2)
	out.Reset()
	start(t, func(c *exec.Cmd) { c.Stdout = &out }, "node", "compress_browser.mjs", b.url("http"), b.url("ws")).succeed()
	if got := out.String(); got != "good: \n" {
		t.Errorf("by default: %q", got)
	}
}

// allGood wants so many lines that say so, each with the extension.
func allGood(t *testing.T, out string, n int) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != n {
		t.Errorf("%d lines, want %d", len(lines), n)
	}
	for _, line := range lines {
		if !strings.Contains(line, "good: ") || strings.HasSuffix(line, ": null") || strings.HasSuffix(line, ": []") || strings.HasSuffix(line, "good: ") {
			t.Error(line)
		}
	}
}
