//go:build linux

package e2e

import (
	"io"
	"os/exec"
	"testing"
)

// dialogue is a program that a person types into.
type dialogue struct {
	*process
	stdin io.WriteCloser
}

// converse starts a program with an open standard input.
func converse(t *testing.T, name string, args ...string) dialogue {
	t.Helper()
	var d dialogue
	d.process = start(t, func(c *exec.Cmd) { d.stdin, _ = c.StdinPipe() }, name, args...)
	return d
}

// connect opens a session by Node's ws, joined to standard input and output.
func connect(t *testing.T, url string) dialogue {
	t.Helper()
	need(t, "node", modules)
	return converse(t, "node", "stdio.mjs", url)
}

// say types text.
func (d dialogue) say(text string) {
	d.t.Helper()
	if _, err := io.WriteString(d.stdin, text); err != nil {
		d.t.Fatalf("typing into %s: %v; it said:\n%s", d.name, err, d.out)
	}
}
