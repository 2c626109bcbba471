//go:build unix

package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// adoptListener serves f, which is closed in any case. The error says what else
// f is.
func adoptListener(f *os.File) (net.Listener, error) {
	defer f.Close()
	fd := int(f.Fd())
	listening, err := inspect(fd)
	if err != nil {
		return nil, err
	}
	if !listening {
		return nil, errors.New("is one client's connection: write Accept=no in the socket unit")
	}
	return adopt(fd, true)
}

// succeed serves h at u's path. Nil: that is not the path of h any more, and
// nobody finds h there; h is closed.
func (u Unix) succeed(h Handed) net.Listener {
	l, err := adoptListener(h.File)
	if err != nil {
		return nil
	}
	local, ok := l.(*net.UnixListener)
	path, absErr := filepath.Abs(u.Path)
	made, err := os.Lstat(u.Path)
	if !ok || errors.Join(absErr, err) != nil || identity(made) != h.Made || os.Chmod(u.Path, u.mode()) != nil {
		l.Close()
		return nil
	}
	successor := &unixListener{UnixListener: local, path: path, made: made}
	successor.kept.Store(true)
	return successor
}

// identity tells a file from all others that there are.
func identity(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// handOn is a descriptor of its own, which a program that is started by chance
// meanwhile does not get.
func handOn(o openSocket) (Handed, error) {
	raw, err := o.listener.(syscall.Conn).SyscallConn()
	if err != nil {
		return Handed{}, err
	}
	h := Handed{Name: o.name}
	if u, ok := o.listener.(*unixListener); ok {
		h.Made = identity(u.made)
	}
	controlErr := raw.Control(func(fd uintptr) {
		var own int
		if own, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3); err == nil {
			h.File = os.NewFile(uintptr(own), o.name)
		}
	})
	return h, errors.Join(controlErr, err)
}
