package wsbridge_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// byTheCalendar are the files that may go by the time of day, which somebody may
// set: what a date means there is meant for other machines or other days. All else
// keeps the monotonic clock that time.Now has beside it, and waits by that.
var byTheCalendar = map[string]string{
	"admin/token.go":          "a login ends at a date that its cookie has",
	"packaging/archive":       "a release has a date",
	"record/asciicast.go":     "a recording has a date",
	"record/pcapng.go":        "a recording has a date",
	"ticket/claims.go":        "a ticket has dates",
	"web/files.go":            "a file has a date",
	"web/pages/recordings.go": "a file has a date",
}

// TestWaitsAreMonotonic: nothing takes the monotonic clock out of a time, or asks the
// system for the time of day, but who is in the list.
func TestWaitsAreMonotonic(t *testing.T) {
	used := map[string]bool{}
	eachSource(t, func(path string, file *ast.File) {
		place := path
		if dir := filepath.Dir(path); byTheCalendar[dir] != "" {
			place = dir
		}
		for _, call := range calendarCalls(file) {
			used[place] = true
			if byTheCalendar[place] == "" {
				t.Errorf("%s goes by the calendar: %s", path, call)
			}
		}
	})
	for place := range byTheCalendar {
		if !used[place] {
			t.Errorf("%s does not go by the calendar any more: take it off the list", place)
		}
	}
}

// eachSource is every file that is built into a program of ours.
func eachSource(t *testing.T, see func(path string, file *ast.File)) {
	t.Helper()
	others := []string{"bench", "soak", "e2e", ".git", "bin"} // programs that look at ours, and no programs
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (slices.Contains(others, path) || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err == nil {
			see(path, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// calendarCalls are the calls by which a time loses its monotonic clock or is made
// without, and the system's names for the time of day. time.Unix(1, 0), a deadline
// that is over, is none.
func calendarCalls(file *ast.File) (found []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && byDate(s, n.Args) {
				found = append(found, s.Sel.Name)
			}
		case *ast.SelectorExpr:
			if slices.Contains([]string{"CLOCK_REALTIME", "TIMER_ABSTIME", "Gettimeofday"}, n.Sel.Name) {
				found = append(found, n.Sel.Name)
			}
		}
		return true
	})
	return found
}

func byDate(call *ast.SelectorExpr, args []ast.Expr) bool {
	from, _ := call.X.(*ast.Ident)
	if from != nil && from.Name == "time" {
		return slices.Contains([]string{"UnixMilli", "UnixMicro", "Date", "Parse", "ParseInLocation"}, call.Sel.Name) ||
			call.Sel.Name == "Unix" && !over(args[0])
	}
	return slices.Contains([]string{"Unix", "UnixNano", "UnixMilli", "UnixMicro"}, call.Sel.Name) && len(args) == 0 ||
		call.Sel.Name == "AddDate"
}

func over(seconds ast.Expr) bool {
	literal, ok := seconds.(*ast.BasicLit)
	return ok && literal.Value == "1"
}
