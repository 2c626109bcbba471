//go:build unix

package listen

import (
	"context"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// backlog is how many connections may wait to be accepted; the system takes
// what it allows of it.
const backlog = 4096

// lockDirectory keeps other wsbridges from making or replacing sockets in
// directory until unlock; between one's look at a stale socket and its
// removal, another's live one could come. Where there can be no lock there is
// none.
func lockDirectory(ctx context.Context, directory string) (unlock func(), err error) {
	d, err := os.Open(directory)
	if err != nil {
		return func() {}, nil // the bind says what is wrong, if anything
	}
	unlock = func() { d.Close() }
	for {
		err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			return unlock, nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			unlock()
			return nil, ctx.Err()
		}
	}
}

// bindUnix gives the socket its mode between bind and listen, when nobody can
// connect yet: the umask, which is the whole process's, does not matter.
func bindUnix(path string, mode fs.FileMode) (*net.UnixListener, error) {
	fd, err := newSocket()
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return nil, err
	}
	l, err := listenOn(f, path, mode)
	if err != nil {
		os.Remove(path)
	}
	return l, err
}

// listenOn starts a bound socket.
func listenOn(f *os.File, path string, mode fs.FileMode) (*net.UnixListener, error) {
	if err := os.Chmod(path, mode); err != nil {
		return nil, err
	}
	if err := unix.Listen(int(f.Fd()), backlog); err != nil {
		return nil, err
	}
	l, err := net.FileListener(f) // on a descriptor of its own
	if err != nil {
		return nil, err
	}
	return l.(*net.UnixListener), nil
}

// newSocket is kept from programs started at the same time.
func newSocket() (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	return fd, err
}
