//go:build !unix

package listen

import (
	"context"
	"io/fs"
	"net"
)

// lockDirectory does nothing: there are no locks on directories.
func lockDirectory(context.Context, string) (unlock func(), err error) { return func() {}, nil }

// bindUnix leaves who may connect to the directory's permissions: a mode means
// nothing here.
func bindUnix(path string, _ fs.FileMode) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	return l, nil
}
