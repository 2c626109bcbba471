package listen

import (
	"errors"
	"net"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// A small message must not wait for an acknowledgement, and a client that
// vanished must be found.
func TestSocketOptions(t *testing.T) {
	l, _ := open(t, "127.0.0.1:0")
	_, server := connect(t, l, l.Addr().String())
	raw, err := server.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	options := []struct {
		name          string
		level, option int
		want          int
	}{
		{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 30},
		{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
		{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4},
		{"SO_PROTOCOL", unix.SOL_SOCKET, unix.SO_PROTOCOL, unix.IPPROTO_TCP},
	}
	got, want := map[string]int{}, map[string]int{}
	err = raw.Control(func(fd uintptr) {
		for _, o := range options {
			want[o.name] = o.want
			if got[o.name], err = unix.GetsockoptInt(int(fd), o.level, o.option); err != nil {
				t.Errorf("%s: %v", o.name, err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("options of an accepted connection (-want +got):\n%s", diff)
	}
}

// A program that is too busy to accept is alive, and keeps its path.
func TestBusySocketIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := newSocket()
	check(t, err)
	defer unix.Close(fd)
	check(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	check(t, unix.Listen(fd, 0))
	for range 100 {
		var c net.Conn
		if c, err = net.Dial("unix", path); err != nil {
			break
		}
		defer c.Close()
	}
	if !errors.Is(err, unix.EAGAIN) {
		t.Fatalf("a queue for none takes a hundred: %v", err)
	}
	if _, err := (Unix{Path: path}).Listen(t.Context()); err == nil || err.Error() != "another program listens on unix:"+path {
		t.Errorf("%v", err)
	}
}
