package listen

import (
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
