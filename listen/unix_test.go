//go:build unix

package listen

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// openUnix listens until the test ends.
func openUnix(t *testing.T, u Unix) net.Listener {
	t.Helper()
	l, err := u.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// reach sends a byte from a new client of path to l.
func reach(t *testing.T, l net.Listener, path string) {
	t.Helper()
	client, err := net.Dial("unix", path)
	check(t, err)
	defer client.Close()
	server, err := l.Accept()
	check(t, err)
	defer server.Close()
	if _, ok := server.(*net.UnixConn); !ok {
		t.Errorf("a connection is a %T, which has no fast path", server)
	}
	_, err = client.Write([]byte("x"))
	check(t, err)
	if n, err := server.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
}

// leaveStale leaves what a killed program leaves.
func leaveStale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	check(t, err)
	l.SetUnlinkOnClose(false)
	l.Close()
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// The umask neither narrows the mode that was asked for nor widens it.
func TestUnixMode(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o777} {
		for _, mode := range []fs.FileMode{0, 0o600, 0o660, 0o777} {
			path := filepath.Join(t.TempDir(), "s")
			old := unix.Umask(umask)
			l, err := Unix{Path: path, Mode: mode}.Listen(t.Context())
			unix.Umask(old)
			check(t, err)
			info, err := os.Lstat(path)
			check(t, err)
			want := mode
			if mode == 0 {
				want = 0o600
			}
			if got := info.Mode(); got != fs.ModeSocket|want {
				t.Errorf("umask %o, mode %o: made %v", umask, mode, got)
			}
			reach(t, l, path)
			check(t, l.Close())
			if !missing(path) {
				t.Errorf("umask %o, mode %o: the path is still there after Close", umask, mode)
			}
		}
	}
}

// What bindUnix relies on: before listen(2), the mode lets nobody in.
func TestNobodyConnectsBeforeTheMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := newSocket()
	check(t, err)
	defer unix.Close(fd)
	check(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	if c, err := net.Dial("unix", path); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a socket that does not listen gives %v, %v", c, err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	leaveStale(t, path)
	reach(t, openUnix(t, Unix{Path: path}), path)
}

// Whoever listens keeps the path, and keeps being reached.
func TestLiveSocketIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first := openUnix(t, Unix{Path: path})
	_, err := Unix{Path: path}.Listen(t.Context())
	if err == nil || err.Error() != "another program listens on unix:"+path {
		t.Fatalf("the second one: %v", err)
	}
	probe, err := first.Accept()
	check(t, err)
	probe.Close()
	reach(t, first, path)
}

func TestUnixMistakes(t *testing.T) {
	d := t.TempDir()
	at := func(name string) string { return filepath.Join(d, name) }
	check(t, os.WriteFile(at("file"), nil, 0o600))
	check(t, os.Symlink(at("nowhere"), at("link")))
	check(t, unix.Mkfifo(at("fifo"), 0o600))
	datagram, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at("datagram"), Net: "unixgram"})
	check(t, err)
	defer datagram.Close()
	tests := []struct{ path, want string }{
		{"", "the path of the unix socket is empty"},
		{"a\x00b", "a path has no NUL in it"},
		{"@s", "an abstract socket is open to everybody; for a file write ./@s"},
		{at("file"), "file is a file, not a socket: choose another path, or remove it"},
		{d, " is a directory, not a socket"},
		{at("link"), "link is a symbolic link, not a socket"},
		{at("fifo"), "fifo is a device or a pipe, not a socket"},
		{at("datagram"), "datagram may be in use by another program: "},
		{at("none/s"), "there is no directory " + at("none")},
		{at("file/s"), "not a directory"},
		{at(strings.Repeat("x", 108)), "bytes long, and the system takes "},
	}
	for _, tt := range tests {
		before, _ := os.ReadDir(d)
		l, err := Unix{Path: tt.path}.Listen(t.Context())
		if err == nil {
			l.Close()
			t.Errorf("%q: no error, want %q", tt.path, tt.want)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) || strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("%q: %q does not say %q in one line", tt.path, err, tt.want)
		}
		if after, _ := os.ReadDir(d); len(after) != len(before) {
			t.Errorf("%q: %v became %v", tt.path, before, after)
		}
	}
}

// What root is never refused is tested by its words.
func TestUnixExplain(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{unix.EACCES, "cannot listen on unix:d/s: no permission to make a socket in d"},
		{unix.EADDRINUSE, "cannot listen on unix:d/s: another program made it just now"},
		{unix.EROFS, "cannot listen on unix:d/s: read-only file system"},
	}
	for _, tt := range tests {
		if got := (Unix{Path: "d/s"}).explain(tt.err); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
	}
}

// A path as long as the system takes works; a longer one works if it is
// relative and short.
func TestLongPath(t *testing.T) {
	d := t.TempDir()
	longest := filepath.Join(d, strings.Repeat("x", maxPath-len(d)-1))
	reach(t, openUnix(t, Unix{Path: longest}), longest)

	deep := filepath.Join(d, strings.Repeat("d", maxPath))
	check(t, os.Mkdir(deep, 0o700))
	t.Chdir(deep)
	l := openUnix(t, Unix{Path: "s"})
	reach(t, l, "s")
	check(t, l.Close())
	if !missing(filepath.Join(deep, "s")) {
		t.Error("the path is still there after Close")
	}
}

// A relative path is the one of the start, wherever the program goes.
func TestRelativePath(t *testing.T) {
	d := t.TempDir()
	t.Chdir(d)
	l := openUnix(t, Unix{Path: "s"})
	t.Chdir(t.TempDir())
	leaveStale(t, "s") // not ours
	reach(t, l, filepath.Join(d, "s"))
	check(t, l.Close())
	if !missing(filepath.Join(d, "s")) || missing("s") {
		t.Error("Close did not remove the path of the start, or another")
	}
}

// A path that is another's by now stays.
func TestClosedAfterLosingThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ours := openUnix(t, Unix{Path: path})
	check(t, os.Remove(path))
	theirs := openUnix(t, Unix{Path: path})
	check(t, ours.Close())
	reach(t, theirs, path)
	ours.Close()
	reach(t, theirs, path)
}

// Many start at once where one was killed: one gets the path and is reached
// there, the others are told.
func TestRaceForAStaleSocket(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "s")
		leaveStale(t, path)
		listeners := make(chan net.Listener, 8)
		var wg sync.WaitGroup
		for range cap(listeners) {
			wg.Go(func() {
				l, err := Unix{Path: path}.Listen(context.Background())
				switch {
				case err == nil:
					listeners <- l
				case err.Error() != "another program listens on unix:"+path:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		close(listeners)
		if len(listeners) != 1 {
			t.Fatalf("%d listen on one path", len(listeners))
		}
		l := <-listeners
		if c, err := net.Dial("unix", path); err != nil {
			t.Error(err)
		} else {
			c.Close()
		}
		l.Close()
	}
}

// A directory that stays locked stops the start, but not for ever.
func TestLockedDirectory(t *testing.T) {
	d := t.TempDir()
	unlock, err := lockDirectory(t.Context(), d)
	check(t, err)
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Unix{Path: filepath.Join(d, "s")}.Listen(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "another program keeps its directory locked") {
		t.Errorf("%v", err)
	}
}

func TestParseMode(t *testing.T) {
	good := map[string]fs.FileMode{"600": 0o600, "0600": 0o600, "0o660": 0o660, "777": 0o777, "2": 0o2}
	for in, want := range good {
		if got, err := ParseMode(in); err != nil || got != want {
			t.Errorf("ParseMode(%q) = %o, %v", in, got, err)
		}
	}
	bad := map[string]string{
		"":                       "is not an octal number: write 600 for the owner alone",
		"rw":                     `mode "rw" is not an octal number`,
		"680":                    `mode "680" is not an octal number`,
		"-600":                   "is not an octal number",
		"0x1ff":                  "is not an octal number",
		"1777":                   "mode 1777 is out of range: it goes up to 777",
		"7777777777777777777777": "is out of range",
		"0":                      "mode 0 lets nobody in",
		"444":                    "mode 444 lets nobody in: connecting takes the permission to write",
	}
	for in, want := range bad {
		if got, err := ParseMode(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseMode(%q) = %o, %v; want %q", in, got, err, want)
		}
	}
}
