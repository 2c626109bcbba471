package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheManualOfConfigurationIsTrue: in docs/configuration.md a file's name
// stands in the first line of a block, and commands say what stands below them.
func TestTheManualOfConfigurationIsTrue(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	block := regexp.MustCompile("(?s)```(yaml|console)\n(?:# ([a-z./]+)\n|\\$ ([^\n]+)\n)?(.*?)```")
	commands := 0
	for _, found := range block.FindAllStringSubmatch(string(text), -1) {
		kind, name, command, body := found[1], found[2], found[3], found[4]
		switch {
		case kind == "console":
			commands++
			if diff := cmp.Diff(body, shell(t, dir, command)); diff != "" {
				t.Errorf("%s (-manual +wsbridge):\n%s", command, diff)
			}
		case name != "":
			putFile(t, filepath.Join(dir, name), body)
		default:
			putFile(t, filepath.Join(dir, "unnamed.yaml"), body)
			if said := shell(t, dir, "wsbridge config check --config unnamed.yaml"); !strings.HasPrefix(said, "ok: ") {
				t.Errorf("%s\nof\n%s", said, body)
			}
		}
	}
	if commands < 6 {
		t.Errorf("only %d commands found", commands)
	}
}

func shell(t *testing.T, dir, command string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if (err != nil) != strings.Contains(string(out), "error: ") {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

func putFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
