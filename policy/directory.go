package policy

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// fileNames is TokenFileName: a directory of files named by their tokens.
// Nothing is kept between lookups, for clients choose the names.
type fileNames struct {
	noClose
	directory string
}

// sockets is UnixDomainSocketDirectory.
type sockets struct {
	noClose
	directory string
}

func openFileNames(source string, _ *slog.Logger) (Lookup, error) {
	directory, err := openDirectory(source)
	if err != nil {
		return nil, err
	}
	return &fileNames{directory: directory}, nil
}

func openSockets(source string, _ *slog.Logger) (Lookup, error) {
	directory, err := openDirectory(source)
	if err != nil {
		return nil, err
	}
	return &sockets{directory: directory}, nil
}

// openDirectory is the absolute path of a directory that is there.
func openDirectory(source string) (string, error) {
	directory, err := filepath.Abs(source)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(directory)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", directory)
	}
	return directory, err
}

const maxTarget = 4096 // bytes of a file with one target

func (d *fileNames) Lookup(_ *http.Request, token string) (Endpoint, error) {
	name := path.Base(token)
	if isLeftOut(name) || !isName(name) {
		return Endpoint{}, ErrNotFound
	}
	root, err := os.OpenRoot(d.directory)
	if err != nil {
		return Endpoint{}, fmt.Errorf("token directory: %w", err)
	}
	defer root.Close()
	if err := is(root, name, fs.FileMode.IsRegular); err != nil {
		return Endpoint{}, err
	}
	f, err := root.Open(name)
	if err != nil {
		return Endpoint{}, noFile(err)
	}
	defer f.Close()
	data, err := readAll(f, maxTarget)
	if err != nil {
		return Endpoint{}, fmt.Errorf("a file in %s: %w", d.directory, bare(err))
	}
	e, err := parseAnswer(data)
	if err != nil {
		return Endpoint{}, fmt.Errorf("a file in %s: %w", d.directory, err)
	}
	return e, nil
}

func (d *sockets) Lookup(_ *http.Request, token string) (Endpoint, error) {
	if !isName(token) {
		return Endpoint{}, ErrNotFound
	}
	root, err := os.OpenRoot(d.directory)
	if err != nil {
		return Endpoint{}, fmt.Errorf("socket directory: %w", err)
	}
	defer root.Close()
	if err := is(root, token, isSocket); err != nil {
		return Endpoint{}, err
	}
	return Endpoint{"unix", filepath.Join(d.directory, filepath.FromSlash(token))}, nil
}

// isName tells whether s can name something inside a directory.
func isName(s string) bool {
	return filepath.IsLocal(s) && !strings.ContainsFunc(s, isControl)
}

func isSocket(m fs.FileMode) bool { return m.Type() == fs.ModeSocket }

// is looks at a name before it is opened, which might wait (a named pipe).
func is(root *os.Root, name string, kind func(fs.FileMode) bool) error {
	info, err := root.Stat(name)
	if err != nil {
		return noFile(err)
	}
	if !kind(info.Mode()) {
		return ErrNotFound
	}
	return nil
}

// noFile tells a name that leads to nothing inside the root from a disk or a
// permission that fails.
func noFile(err error) error {
	var errno syscall.Errno
	if errors.Is(err, fs.ErrNotExist) || !errors.As(err, &errno) {
		return ErrNotFound
	}
	switch errno {
	case syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EINVAL:
		return ErrNotFound
	}
	return bare(err)
}

// bare takes the path, in which a token is, from an error.
func bare(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return fmt.Errorf("%s: %w", pathErr.Op, pathErr.Err)
	}
	return err
}
