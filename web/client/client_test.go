//go:build !windows

package client

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestLibrary runs the library's own tests: npm test.
func TestLibrary(t *testing.T) {
	for _, program := range []string{"node", "npm", "go"} {
		if _, err := exec.LookPath(program); err != nil {
			leaveOut(t, program+" is missing")
		}
	}
	look(t, "../..")
	if _, err := os.Stat("node_modules"); err != nil {
		if out, err := exec.CommandContext(t.Context(), "npm", "ci").CombinedOutput(); err != nil {
			leaveOut(t, "npm ci: "+err.Error()+"\n"+string(out))
		}
	}
	out, err := exec.CommandContext(t.Context(), "npm", "test").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("npm test: %v", err)
	}
}

// leaveOut skips the test, and fails it where CI=true: there nothing may be
// left out.
func leaveOut(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// look lets go test see what the tests depend on, which is the library and the
// bridge: a result in its cache is good as long as nothing seen has changed.
func look(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", "node_modules", "bin", "shots", "out"}, entry.Name()) {
			return fs.SkipDir
		}
		if slices.Contains([]string{".go", ".mod", ".js", ".ts", ".json", ".md"}, filepath.Ext(path)) {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
