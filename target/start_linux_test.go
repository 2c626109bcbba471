package target

import (
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestStart(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("left out: %v", err)
			continue
		}
		defer l.Close()
		fd, timeout, err := TCP{Address: l.Addr().String()}.Start()
		if err != nil || timeout != defaultTimeout {
			t.Fatalf("%v %v", timeout, err)
		}
		defer unix.Close(fd)
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for option, want := range map[[2]int]int{
			{unix.IPPROTO_TCP, unix.TCP_NODELAY}:   1,
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE}:   1,
			{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}:  30,
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL}: 15,
			{unix.IPPROTO_TCP, unix.TCP_KEEPCNT}:   4,
		} {
			if got, err := unix.GetsockoptInt(fd, option[0], option[1]); err != nil || got != want {
				t.Errorf("option %v is %d, want %d (%v)", option, got, want, err)
			}
		}
	}
}

// What has to be looked up, or has more than one meaning, is for Dial.
func TestStartIsForPlainAddresses(t *testing.T) {
	for _, address := range []string{"localhost:1", "host.example:80", "0.0.0.0:1", "[::]:1", "[fe80::1%lo]:1", "[::ffff:127.0.0.1]:1", ":1", "127.0.0.1:http"} {
		if fd, _, err := (TCP{Address: address}).Start(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %d %v", address, fd, err)
		}
	}
}

func TestStartTimeout(t *testing.T) {
	fd, timeout, err := TCP{Address: "127.0.0.1:1", Timeout: time.Second}.Start()
	if err == nil {
		unix.Close(fd)
	}
	if err != nil && err != unix.ECONNREFUSED || err == nil && timeout != time.Second {
		t.Errorf("%v %v", timeout, err)
	}
}
