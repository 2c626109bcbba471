//go:build unix

package record

import (
	"errors"
	"os"
	"syscall"
)

// create makes a file that was not there, for its owner's eyes only. Until it
// is closed, openAlone refuses it.
func create(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		lock(f) // where there are no locks, there is nobody to refuse
	}
	return f, err
}

// openAlone opens a file for writing unless a recording is written to it:
// ErrInUse.
func openAlone(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if err := lock(f); errors.Is(err, syscall.EWOULDBLOCK) {
		f.Close()
		return nil, ErrInUse
	}
	return f, nil
}

func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
