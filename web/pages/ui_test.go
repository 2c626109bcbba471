package pages

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestModules runs the tests of the pages' own modules: npm test, which needs
// no npm.
func TestModules(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		leaveOut(t, "node is missing")
	}
	look(t, "..")
	files, err := filepath.Glob("ui/test/*.test.js")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests: %v", err)
	}
	args := append([]string{"--test", "--test-timeout=60000", "--test-reporter=spec"}, files...)
	node := exec.CommandContext(t.Context(), "node", args...)
	out, err := node.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("node: %v", err)
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

// look lets go test see what the tests depend on: a result in its cache is
// good as long as nothing seen has changed.
func look(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{".git", "node_modules", "bin", "shots", "out"}, entry.Name()) {
			return fs.SkipDir
		}
		if slices.Contains([]string{".go", ".mod", ".js", ".mjs", ".html", ".css", ".json"}, filepath.Ext(path)) {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
