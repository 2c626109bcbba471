package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTokenFile(t *testing.T) {
	name := temp(t, "\uFEFF# desks\n\n  # more\r\ngood: desk:5900\r\n v6:  [::1]:5901 \nold6: ::1:5902\nsock:\tunix_socket:/run/x\n"+
		"a b:c: desk:1\nno-space:desk:2\nportless: desk\n: desk:1\nvery-secret: de sk:5900\ngood: other:5903\nlast: desk:9")
	d := newDesk(t, "TokenFile", name)
	for token, want := range map[string]string{
		"good": "other:5903", "v6": "[::1]:5901", "old6": "[::1]:5902", "sock": "unix_socket:/run/x",
		"a b:c": "desk:1", "last": "desk:9", "no-space": unknown, "portless": unknown, "very-secret": unknown, "# desks": unknown,
		"": "Forbidden: the token is missing",
	} {
		if got := d.ask(t, token); got != want {
			t.Errorf("%q: %s, want %s", token, got, want)
		}
	}
	d.refuseHostile(t)
	for line, what := range map[int]string{
		9: "space behind the colon", 10: "no port", 11: "space behind the colon", 12: "host is neither", 13: "later line counts",
	} {
		if got := strings.Count(d.log.String(), fmt.Sprintf("%s:%d\n", name, line)); got != 1 {
			t.Errorf("line %d was named %d times", line, got)
		}
		if !strings.Contains(d.log.String(), what) {
			t.Errorf("line %d: %q was not said", line, what)
		}
	}
	if got := strings.Count(d.log.String(), "\n"); got != 5 {
		t.Errorf("%d lines were said, want 5:\n%s", got, d.log)
	}
	if strings.Contains(d.log.String(), "very-secret") {
		t.Error("a token was said")
	}
}

// A changed file counts within a second, is looked at no more often than that,
// and what was wrong before and still is is not said again.
func TestTokenFileChanges(t *testing.T) {
	name := temp(t, "good: desk:1\nbad line\n")
	d := newDesk(t, "TokenFile", name)
	file := d.Tokens.(*tokenFile)
	now := time.Now().Add(time.Hour)
	file.tokens.now = func() time.Time { return now }
	put := func(text string, changed time.Time) {
		t.Helper()
		write(t, name, text)
		if err := os.Chtimes(name, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(story, want string) {
		t.Helper()
		if got := d.ask(t, "good"); got != want {
			t.Errorf("%s: %s, want %s", story, got, want)
		}
	}
	expect("at first", "desk:1")
	put("good: desk:2\nbad line\n", now)
	expect("in the same second", "desk:1")
	now = now.Add(lookEvery)
	expect("a second later", "desk:2")
	put("good: desk:3\nbad line\n", now.Add(-lookEvery)) // same size, same time
	now = now.Add(lookEvery)
	expect("changed again just after it was read", "desk:3")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	now = now.Add(lookEvery)
	expect("removed", "Bad Gateway: the token cannot be looked up now")
	if err := os.Mkdir(name, 0o700); err != nil {
		t.Fatal(err)
	}
	now = now.Add(lookEvery)
	expect("a directory instead", unknown)
	write(t, filepath.Join(name, "inner"), "good: desk:7\n")
	now = now.Add(lookEvery)
	expect("with a file in it", "desk:7")
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
	put("good: desk:4\n", now)
	now = now.Add(lookEvery)
	expect("back again", "desk:4")
	if got := strings.Count(d.log.String(), "space behind the colon"); got != 1 {
		t.Errorf("the bad line was said %d times:\n%s", got, d.log)
	}
	put("good: desk:4\nbad line\n", now.Add(-time.Hour))
	now = now.Add(lookEvery)
	d.ask(t, "good")
	if got := strings.Count(d.log.String(), "space behind the colon"); got != 2 {
		t.Errorf("mended and broken again, it was said %d times", got)
	}
}

// The bridge may start before its tokens are there, but not with what cannot be
// a token file.
func TestTokenFileComesLater(t *testing.T) {
	name := filepath.Join(t.TempDir(), "later")
	d := newDesk(t, "TokenFile", name)
	if !strings.Contains(d.log.String(), "no token file yet") {
		t.Error("nothing was said")
	}
	if got := d.ask(t, "good"); got != "Bad Gateway: the token cannot be looked up now" {
		t.Error(got)
	}
	write(t, name, "good: desk:1\n")
	d.Tokens.(*tokenFile).tokens.looked = time.Time{}
	if got := d.ask(t, "good"); got != "desk:1" {
		t.Error(got)
	}
	if _, err := OpenTokens("TokenFile", "/dev/zero", nil); err == nil || !strings.Contains(err.Error(), "neither a file nor a directory") {
		t.Error("a device:", err)
	}
}

// A relative source means what it meant at the start, wherever the program
// goes.
func TestRelativeSource(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "tokens", "good: desk:1\n")
	d := newDesk(t, "TokenFile", "tokens")
	d.Tokens.(*tokenFile).tokens.looked = time.Time{}
	t.Chdir(t.TempDir())
	if got := d.ask(t, "good"); got != "desk:1" {
		t.Error(got)
	}
}

func TestTokenDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"10": "one: desk:1\nboth: desk:1\n", "20": "both: desk:2\nnonsense\n", ".hidden": "hid: desk:3\n", "backup~": "old: desk:4\n", "sub/30": "deep: desk:5\n",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, "ReadOnlyTokenFile", dir)
	for token, want := range map[string]string{"one": "desk:1", "both": "desk:2", "hid": unknown, "old": unknown, "deep": unknown} {
		if got := d.ask(t, token); got != want {
			t.Errorf("%q: %s, want %s", token, got, want)
		}
	}
	if !strings.Contains(d.log.String(), filepath.Join(dir, "20")+":2") {
		t.Errorf("the bad line was not named by its own file:\n%s", d.log)
	}
	write(t, filepath.Join(dir, "40"), "new: desk:6\n")
	d.Tokens.(*tokenFile).tokens.looked = time.Time{}
	if got := d.ask(t, "new"); got != "desk:6" {
		t.Error("a new file:", got)
	}
}

// A file of rubbish is not repeated in the log.
func TestRubbishFile(t *testing.T) {
	d := newDesk(t, "TokenFile", temp(t, strings.Repeat("rubbish\n", 10000)))
	if got := strings.Count(d.log.String(), "\n"); got != maxRemarks+1 {
		t.Errorf("%d lines were said", got)
	}
	if !strings.Contains(d.log.String(), "lines=9980") {
		t.Error(d.log)
	}
}

// trap is a directory with what should be found in it, and ways out of it.
func trap(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "dir")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(top, "outside"), "evil:1\n")
	for name, to := range map[string]string{"leads-out": "../outside", "loop": "loop", "inside": "good"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTokenFileName(t *testing.T) {
	dir := trap(t)
	for name, text := range map[string]string{
		"good": "desk:5900\n", "six": "[::1]:5901", "sock": "unix_socket:/run/x", ".hidden": "evil:2", "backup~": "evil:3",
		"nonsense": "nonsense", "empty": "", "huge": strings.Repeat("x", maxTarget+1),
	} {
		write(t, filepath.Join(dir, name), text)
	}
	mkfifo(t, filepath.Join(dir, "fifo"))
	d := newDesk(t, "TokenFileName", dir)
	for token, want := range map[string]string{
		"good": "desk:5900", "six": "[::1]:5901", "sock": "unix_socket:/run/x", "inside": "desk:5900", "any/where/good": "desk:5900",
		"../good": "desk:5900", // the last component alone counts, as ever
	} {
		if got := d.ask(t, token); got != want {
			t.Errorf("%q: %s, want %s", token, got, want)
		}
	}
	for _, token := range []string{"nonsense", "empty", "huge"} {
		if got := d.ask(t, token); !strings.HasPrefix(got, "Bad Gateway") {
			t.Errorf("%q: %s", token, got)
		}
	}
	if strings.Contains(d.log.String(), "nonsense") {
		t.Errorf("a token was said:\n%s", d.log)
	}
	d.refuseHostile(t, "good/") // path.Base is good
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if got := d.ask(t, "good"); !strings.HasPrefix(got, "Bad Gateway") {
		t.Error("the directory is gone:", got)
	}
}

func TestUnixDomainSocketDirectory(t *testing.T) {
	dir, err := os.MkdirTemp("", "uds") // a short path: sockets' paths are
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	inner := filepath.Join(dir, "d")
	if err := os.MkdirAll(filepath.Join(inner, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"d/good", "d/sub/deep", "outside", "d2.sock"} {
		l, err := net.Listen("unix", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
	}
	for name, to := range map[string]string{"leads-out": "../outside", "absolute": filepath.Join(dir, "outside"), "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(inner, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(inner, "plain"), "")
	d := newDesk(t, "UnixDomainSocketDirectory", inner)
	for token, want := range map[string]string{
		"good": "unix_socket:" + inner + "/good", "sub/deep": "unix_socket:" + inner + "/sub/deep",
		"plain": unknown, "sub": unknown, "absolute": unknown, "../d2.sock": unknown, "../d/good": unknown, inner + "/good": unknown,
	} {
		if got := d.ask(t, token); got != want {
			t.Errorf("%q: %s, want %s", token, got, want)
		}
	}
	d.refuseHostile(t)
	if strings.Contains(d.log.String(), "level=ERROR") {
		t.Errorf("a hostile token is no error of ours:\n%s", d.log)
	}
}

func mkfifo(t *testing.T, name string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return
	}
	if err := makeFIFO(name); err != nil {
		t.Fatal(err)
	}
}

// Every line is a token or a remark; a token's target can be read again.
func FuzzParseTokens(f *testing.F) {
	f.Add("a: b:1\n#\n\nx y: [::1]:2\r\nbad\n: c:1\na: d:2")
	f.Fuzz(func(t *testing.T, text string) {
		tokens, wrong := parseTokens([]content{{path: "f", data: []byte(text)}})
		lines := 0
		for range (content{data: []byte(text)}).lines {
			lines++
		}
		if len(tokens)+len(wrong) != lines {
			t.Errorf("%d lines, %d tokens, %d remarks", lines, len(tokens), len(wrong))
		}
		for token, e := range tokens {
			again, err := ParseEndpoint(e.String())
			if token == "" || err != nil || again != e {
				t.Errorf("token %q: %+v", token, e)
			}
		}
	})
}

// What an error says of a file in a client's directory is not the file's name.
func TestBare(t *testing.T) {
	err := bare(&fs.PathError{Op: "open", Path: "token", Err: errors.New("it burns")})
	if diff := cmp.Diff("open: it burns", err.Error()); diff != "" {
		t.Error(diff)
	}
}
