package target

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// busy is a target that accepts nothing, and has no room for one more.
func busy(t *testing.T) (l net.Listener, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	check(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	check(t, unix.Listen(fd, 0))
	l, err = net.FileListener(f)
	check(t, err)
	t.Cleanup(func() { l.Close() })
	for range 100 {
		c, err := net.Dial("unix", path)
		if errors.Is(err, syscall.EAGAIN) {
			return l, path
		}
		check(t, err)
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("a queue for none takes a hundred")
	return nil, ""
}

// A target that is busy for a moment is reached when it is ready.
func TestUnixQueueFull(t *testing.T) {
	l, path := busy(t)
	reached := make(chan error)
	go func() {
		c, err := Unix{Path: path}.Dial(context.Background())
		if err == nil {
			c.Close()
		}
		reached <- err
	}()
	for {
		select {
		case err := <-reached:
			check(t, err)
			return
		default:
		}
		c, err := l.Accept()
		check(t, err)
		c.Close()
		if c, err := net.Dial("unix", path); err == nil { // so that Accept never waits
			c.Close()
		}
	}
}

// One that stays busy did not answer in time, which is a timeout like any.
func TestUnixBusyForGood(t *testing.T) {
	_, path := busy(t)
	_, err := Unix{Path: path, Timeout: 3 * queueTries}.Dial(t.Context())
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestUnixNoStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	datagram, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	check(t, err)
	defer datagram.Close()
	_, err = Unix{Path: path}.Dial(t.Context())
	hasReason(t, err, "target is no stream socket")
}
