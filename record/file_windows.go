package record

import (
	"errors"
	"os"
	"syscall"
)

// create makes a file that was not there, for its owner's eyes only as far as
// its directory says so. Until it is closed, openAlone refuses it.
func create(name string) (*os.File, error) { return open(name, syscall.CREATE_NEW) }

// openAlone opens a file for writing unless a recording is written to it:
// ErrInUse.
func openAlone(name string) (*os.File, error) {
	f, err := open(name, syscall.OPEN_EXISTING)
	if errors.Is(err, sharingViolation) {
		return nil, ErrInUse
	}
	return f, err
}

const sharingViolation syscall.Errno = 32 // ERROR_SHARING_VIOLATION

// open lets others read the file, but not write it.
func open(name string, how uint32) (*os.File, error) {
	p, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	h, err := syscall.CreateFile(p, syscall.GENERIC_READ|syscall.GENERIC_WRITE, syscall.FILE_SHARE_READ, nil, how, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(h), name), nil
}
