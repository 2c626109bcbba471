package logs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
)

// screen is a standard error that a test looks at; it leaves out floods.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.Contains(b, []byte("msg=flood")) {
		return len(b), nil
	}
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func open(t *testing.T, o Options) *Output {
	t.Helper()
	out, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		out.Close(ctx)
	})
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var logTime = regexp.MustCompile(`(?m)^time=\S+ `)

func untimed(s string) string { return logTime.ReplaceAllString(s, "") }

// Standard error and the file get the same, and the file keeps what it had.
func TestFileAndStandardError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr screen
	out := open(t, Options{Stderr: &stderr, File: path})
	out.Logger().With("client", "c").WithGroup("session").Info("ended\nwell", "bytes", 7)
	out.Logger().Debug("not asked for")
	if err := out.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	const want = `level=INFO msg="ended\nwell" client=c session.bytes=7` + "\n"
	if got := untimed(stderr.String()); got != want {
		t.Errorf("standard error %q, want %q", got, want)
	}
	if got := untimed(read(t, path)); got != "before\n"+want {
		t.Errorf("file %q, want %q", got, want)
	}
}

func TestJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	out := open(t, Options{JSON: true, Level: slog.LevelDebug, File: path})
	out.Logger().Debug("asked for", "n", 1, "took", 1500*time.Millisecond)
	if got := read(t, path); !strings.HasSuffix(got, `"level":"DEBUG","msg":"asked for","n":1,"took":1.5}`+"\n") {
		t.Errorf("file %q", got)
	}
}

// JSON may have in it what a terminal obeys and what turns text around; here it is
// escaped, and means the same.
func TestJSONIsPlain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	out := open(t, Options{JSON: true, File: path})
	for _, said := range []string{"plain", "é語😀", "\x7f\u009b31m", "\u200b\u202etxt.exe\u2066", "\U000e0001\U0010ffff", "\x1b[2J\r\n\x00"} {
		out.Logger().Info("m", "said", said)
		lines := strings.Split(strings.TrimSpace(read(t, path)), "\n")
		last := lines[len(lines)-1]
		var record struct{ Said string }
		if err := json.Unmarshal([]byte(last), &record); err != nil || record.Said != said {
			t.Errorf("%+q is written as %+q, which reads as %+q, %v", said, last, record.Said, err)
		}
		if i := strings.IndexFunc(last, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%+q is written as %+q", said, last)
		}
		if strings.Contains(said, "é") && !strings.Contains(last, said) {
			t.Errorf("%q is escaped in %q", said, last)
		}
	}
}

func TestFileIsForOwnerAndGroup(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such modes")
	}
	path := filepath.Join(t.TempDir(), "log")
	open(t, Options{File: path})
	if info, err := os.Stat(path); err != nil || info.Mode()&0o137 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// A log file that is none stops the start, and says why.
func TestFileMistakes(t *testing.T) {
	dir := t.TempDir()
	tests := []struct{ path, want string }{
		{dir, "is a directory: name a file in it"},
		{filepath.Join(dir, "missing", "log"), "cannot be opened: "},
	}
	for _, tt := range tests {
		out, err := Open(Options{File: tt.path})
		if out != nil || err == nil || !strings.HasPrefix(err.Error(), "log file "+tt.path+" "+tt.want) {
			t.Errorf("Open = %v, %v; want %q", out, err, tt.want)
		}
	}
}

// After a rotation the log goes to the new file; no line is in both or cut.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	path, rotated := filepath.Join(dir, "log"), filepath.Join(dir, "log.1")
	out := open(t, Options{File: path})
	const writers, lines = 4, 200
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range lines {
				out.Logger().Info("line", "n", w*lines+i)
			}
		})
	}
	if err := os.Rename(path, rotated); err != nil {
		t.Skip("an open file cannot be moved here:", err)
	}
	out.Reopen()
	writing.Wait()
	out.Logger().Info("last")
	if got := read(t, path); !strings.Contains(got, "log file reopened") || !strings.Contains(got, "msg=last") {
		t.Errorf("the new file has %q", got)
	}
	seen := map[string]int{}
	for line := range strings.Lines(read(t, rotated) + read(t, path)) {
		if n, ok := strings.CutPrefix(untimed(line), "level=INFO msg=line n="); ok {
			seen[n]++
		}
	}
	for i := range writers * lines {
		if seen[fmt.Sprintln(i)] != 1 {
			t.Fatalf("line %d is there %d times", i, seen[fmt.Sprintln(i)])
		}
	}
}

// When the new file cannot be had, the old one stays and says so.
func TestReopenFails(t *testing.T) {
	dir := t.TempDir()
	path, rotated := filepath.Join(dir, "log"), filepath.Join(dir, "log.1")
	var stderr screen
	out := open(t, Options{Stderr: &stderr, File: path})
	if err := os.Rename(path, rotated); err != nil {
		t.Skip("an open file cannot be moved here:", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	out.Reopen()
	out.Logger().Info("still here")
	for name, text := range map[string]string{"file": read(t, rotated), "standard error": stderr.String()} {
		if !strings.Contains(text, "log file cannot be reopened, the old one stays") || !strings.Contains(text, "still here") {
			t.Errorf("%s has %q", name, text)
		}
	}
}

func TestReopenWithoutFile(t *testing.T) {
	var stderr screen
	open(t, Options{Stderr: &stderr}).Reopen()
	if stderr.String() != "" {
		t.Errorf("standard error %q", &stderr)
	}
}

// A full disk is told to the others once, and nobody waits for it.
func TestFullDisk(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("no " + full)
	}
	var stderr screen
	out := open(t, Options{Stderr: &stderr, File: full})
	for range 3 {
		out.Logger().Info("x")
	}
	want := "level=INFO msg=x\n" +
		`level=WARN msg="log records are being lost" output="log file" err="log file /dev/full: no space left on device"` + "\n" +
		"level=INFO msg=x\nlevel=INFO msg=x\n"
	if got := untimed(stderr.String()); got != want {
		t.Errorf("standard error %q, want %q", got, want)
	}
}

// flaky is a place that fails for some time.
type flaky struct {
	failing error
	text    bytes.Buffer
}

func (f *flaky) Write(b []byte) (int, error) {
	if f.failing != nil {
		return 0, f.failing
	}
	return f.text.Write(b)
}

// A place that works again says in all places how much it lacks.
func TestPlaceHeals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	stderr := flaky{failing: errors.New("no terminal")}
	out := open(t, Options{Stderr: &stderr, File: path})
	log := out.Logger()
	log.Info("one")
	log.Info("two")
	stderr.failing = nil
	log.Info("three")
	log.Info("four")
	const lost = `level=WARN msg="log records were lost" output="standard error" lost=2` + "\n"
	if got, want := untimed(stderr.text.String()), "level=INFO msg=three\n"+lost+"level=INFO msg=four\n"; got != want {
		t.Errorf("standard error %q, want %q", got, want)
	}
	got := strings.SplitAfter(strings.TrimSuffix(untimed(read(t, path)), "\n"), "\n")
	if !slices.Contains(got, lost) || !slices.Contains(got, `level=WARN msg="log records are being lost" output="standard error" err="no terminal"`+"\n") || len(got) != 6 {
		t.Errorf("file %q", got)
	}
}

// Places that all fail do not call on each other for ever, nor for nothing.
func TestAllPlacesFail(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("no " + full)
	}
	stderr := flaky{failing: errors.New("no terminal")}
	out := open(t, Options{Stderr: &stderr, File: full})
	out.Logger().Info("to nobody")
	stderr.failing = nil
	out.Logger().Info("to somebody")
	// Nobody has heard of the file: the remark on it was lost with the record.
	const want = "level=INFO msg=\"to somebody\"\n" + `level=WARN msg="log records were lost" output="standard error" lost=2` + "\n"
	if got := untimed(stderr.text.String()); got != want {
		t.Errorf("standard error %q, want %q", got, want)
	}
}

// What a full disk has left of a line does not run into the next one.
func TestTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := openFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if _, err := f.f.WriteString("half of a li"); err != nil {
		t.Fatal(err)
	}
	f.torn = true // as Write leaves it
	for _, line := range []string{"whole\n", "next\n"} {
		if n, err := f.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	if got := read(t, path); got != "half of a li\nwhole\nnext\n" {
		t.Errorf("file %q", got)
	}
}

func TestCloseTwice(t *testing.T) {
	var stderr screen
	out := open(t, Options{Stderr: &stderr, File: filepath.Join(t.TempDir(), "log"), Syslog: Address{Network: "udp", Name: "127.0.0.1:9"}})
	if err := out.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	out.Logger().Info("after the end")
	if got, want := untimed(stderr.String()), "level=INFO msg=\"after the end\"\n"; got != want {
		t.Errorf("standard error %q, want %q", got, want)
	}
	if err := out.Close(t.Context()); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}
