package listen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Unix is a stream socket in the file system to listen on.
type Unix struct {
	Path string      // a relative one belongs to the directory at the time of Listen
	Mode fs.FileMode // who may connect, from ParseMode; 0: the owner alone, 0600
}

// lockTimeout bounds the wait for another listener that is just starting.
const lockTimeout = 5 * time.Second

// maxPath is how long the path of a socket may be, in bytes.
const maxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// ParseMode reads the octal mode of a socket: "600", "0660", "0o666". It
// refuses one that lets nobody connect, which takes the permission to write.
func ParseMode(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0o"), 8, 16)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("mode %q is not an octal number: write 600 for the owner alone, 660 for the group too, 666 for all", s)
	case err != nil || n > 0o777:
		return 0, fmt.Errorf("mode %s is out of range: it goes up to 777", s)
	case n&0o222 == 0:
		return 0, fmt.Errorf("mode %s lets nobody in: connecting takes the permission to write, as in 600", s)
	}
	return fs.FileMode(n), nil
}

// String is "unix:" and the path.
func (u Unix) String() string { return "unix:" + u.Path }

// Listen makes the socket, at no time open to more than Mode says. What a
// program left behind that is no more is replaced; a path where one listens,
// or that is no socket, is refused. Close removes the path unless by then it
// is another's. ctx bounds the start. An error is one line for the person.
func (u Unix) Listen(ctx context.Context) (net.Listener, error) {
	if err := u.check(); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(u.Path) // the directory may change
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", u, err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	unlock, err := lockDirectory(ctx, filepath.Dir(path))
	if err != nil {
		return nil, &plainError{fmt.Sprintf("cannot listen on %s: another program keeps its directory locked", u), err}
	}
	defer unlock()
	if err := u.clear(ctx); err != nil {
		return nil, err
	}
	l, err := bindUnix(u.Path, u.mode())
	if err != nil {
		return nil, &plainError{u.explain(err), err}
	}
	made, err := os.Lstat(path)
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("cannot listen on %s: %w", u, reason(err))
	}
	return &unixListener{UnixListener: l, path: path, made: made}, nil
}

func (u Unix) mode() fs.FileMode { return cmp.Or(u.Mode, 0o600) }

func (u Unix) check() error {
	switch {
	case u.Path == "":
		return errors.New("the path of the unix socket is empty")
	case strings.ContainsRune(u.Path, 0):
		return fmt.Errorf("unix socket %q: a path has no NUL in it", u.Path)
	case u.Path[0] == '@':
		return fmt.Errorf("unix socket %q: an abstract socket is open to everybody; for a file write ./%s", u.Path, u.Path)
	case len(u.Path) > maxPath:
		return fmt.Errorf("the path of the unix socket is %d bytes long, and the system takes %d: use a shorter or a relative one", len(u.Path), maxPath)
	}
	return nil
}

// clear makes room at the path, or says why it cannot.
func (u Unix) clear(ctx context.Context) error {
	info, err := os.Lstat(u.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &plainError{u.explain(err), err}
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s is %s, not a socket: choose another path, or remove it", u.Path, kind(info.Mode()))
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", u.Path)
	if err == nil {
		conn.Close()
	}
	switch {
	case err == nil, errors.Is(err, syscall.EAGAIN): // its queue is full
		return fmt.Errorf("another program listens on %s", u)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case !errors.Is(err, errRefused):
		return &plainError{fmt.Sprintf("%s may be in use by another program: %v", u.Path, cause(err)), err}
	}
	if err := os.Remove(u.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is left over from another program and cannot be removed: %w", u.Path, reason(err))
	}
	return nil
}

func kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a file"
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	}
	return "a device or a pipe"
}

// cause is what the system answered, without what it was asked.
func cause(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}

func (u Unix) explain(err error) string {
	directory := filepath.Dir(u.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("cannot listen on %s: there is no directory %s", u, directory)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("cannot listen on %s: no permission to make a socket in %s", u, directory)
	case errors.Is(err, errInUse):
		return fmt.Sprintf("cannot listen on %s: another program made it just now", u)
	}
	return fmt.Sprintf("cannot listen on %s: %v", u, cause(err))
}

// unixListener takes its path along when it goes, unless that is to be kept.
type unixListener struct {
	*net.UnixListener
	path string // absolute
	made fs.FileInfo
	kept atomic.Bool
	once sync.Once
}

// Close removes the path first: as long as the socket is open, no other file
// can have its inode number.
func (l *unixListener) Close() error {
	l.once.Do(func() {
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.made) && !l.kept.Load() {
			os.Remove(l.path)
		}
	})
	return l.UnixListener.Close()
}
