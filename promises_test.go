package wsbridge_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// kept are the pages whose tables make promises: a column headed "Test" has what
// holds the promise of the row.
var kept = []string{"docs/reliability.md", "SECURITY.md"}

// cited is one such: room.TestName, room.FuzzName, the path of a script of tests or
// of ci, or a target of the Makefile, as in make soak.
var cited = regexp.MustCompile("`([^`]+)`")

// TestPromisesAreHeld: each promise names a test, and each test is there.
func TestPromisesAreHeld(t *testing.T) {
	there := things(t)
	for _, page := range kept {
		promises := 0
		for n, cells := range promisesOf(t, page) {
			promises++
			tests := cited.FindAllStringSubmatch(cells, -1)
			if len(tests) == 0 {
				t.Errorf("%s:%d: a promise without a test", page, n)
			}
			for _, test := range tests {
				if !there[test[1]] {
					t.Errorf("%s:%d: there is no %s", page, n, test[1])
				}
			}
		}
		if promises == 0 {
			t.Errorf("%s promises nothing", page)
		}
	}
}

// promisesOf are the cells of a page's columns "Test", by the number of their line.
func promisesOf(t *testing.T, page string) map[int]string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	found, column, n := map[int]string{}, -1, 0
	for line := range strings.Lines(string(text)) {
		n++
		cells := strings.Split(strings.TrimSpace(line), "|")
		switch {
		case len(cells) < 3:
			column = -1
		case column < 0:
			column = slices.IndexFunc(cells, func(c string) bool { return strings.TrimSpace(c) == "Test" })
		case column < len(cells) && !strings.HasPrefix(cells[1], "---"):
			found[n] = cells[column]
		case column >= len(cells):
			t.Errorf("%s:%d: no cell for the test", page, n)
		}
	}
	return found
}

// things are what a promise may cite.
func things(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || path != "." && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case strings.HasSuffix(path, "_test.go"):
			for _, name := range testsOf(t, path) {
				found[roomOf(path)+"."+name] = true
			}
		case strings.HasSuffix(path, ".txtar"), strings.HasPrefix(path, "ci/"):
			found[path] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range regexp.MustCompile(`(?m)^([a-z0-9-]+):`).FindAllStringSubmatch(string(makefile), -1) {
		found["make "+target[1]] = true
	}
	return found
}

// roomOf is a file's room; the tests at the top are wsbridge's.
func roomOf(path string) string {
	if dir := filepath.ToSlash(filepath.Dir(path)); dir != "." {
		return dir
	}
	return "wsbridge"
}

// testsOf are the tests and fuzz targets of a file.
func testsOf(t *testing.T, path string) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if ok && f.Recv == nil && (strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Fuzz")) {
			names = append(names, f.Name.Name)
		}
	}
	return names
}
