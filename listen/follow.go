package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// checkEvery is how often files are looked at, at most.
const checkEvery = time.Second

// file is one that is followed; what is its name to people.
type file struct{ what, name string }

// follower keeps what its files hold. When they change, the next caller gets
// what they hold then; while that is broken, the old stays. Its methods are
// safe for concurrent use.
type follower[T any] struct {
	files    []file             // the first is the one waited for
	read     func() (*T, error) // all of them
	reloaded func(*T)           // says so in the log
	log      *slog.Logger

	current atomic.Pointer[T] // nil until the first load

	mu        sync.Mutex    // held by the one caller that looks at the files
	next      time.Time     // when to look again
	loaded    []fs.FileInfo // what current was read from
	complaint string        // the last trouble logged
}

// start reads the files for the first time.
func (f *follower[T]) start() error {
	f.next = time.Now().Add(checkEvery)
	return f.load()
}

// get is what the files hold now; nil as long as there was nothing to load.
func (f *follower[T]) get() *T {
	f.refresh()
	return f.current.Load()
}

// refresh reads the files again if they changed. It waits for no one: while
// another caller is at it, what is at hand is good enough.
func (f *follower[T]) refresh() {
	if !f.mu.TryLock() {
		return
	}
	defer f.mu.Unlock()
	now := time.Now()
	if now.Before(f.next) {
		return
	}
	f.next = now.Add(checkEvery)
	if f.unchanged() {
		f.complaint = ""
		return
	}
	if err := f.load(); err != nil {
		f.complain(err)
		return
	}
	f.complaint = ""
	f.reloaded(f.current.Load())
}

// load makes what the files hold the current value.
func (f *follower[T]) load() error {
	// Asked before reading, so that a later change is seen as one.
	asked, err := statFiles(f.files)
	if err != nil {
		return err
	}
	value, err := f.read()
	if err != nil {
		return err
	}
	f.loaded = asked
	f.current.Store(value)
	return nil
}

// complain logs err unless it is known. Waiting for the first file is no
// trouble.
func (f *follower[T]) complain(err error) {
	first, waiting := f.files[0], f.current.Load() == nil
	if waiting && absent(first.name) || err.Error() == f.complaint {
		return
	}
	f.complaint = err.Error()
	if waiting {
		f.log.Error(first.what+" cannot be used", "err", err)
		return
	}
	f.log.Error("new "+first.what+" cannot be used, the old one stays", "err", err)
}

func (f *follower[T]) unchanged() bool {
	now, err := statFiles(f.files)
	if err != nil || f.loaded == nil {
		return false
	}
	for i := range now {
		if !same(f.loaded[i], now[i]) {
			return false
		}
	}
	return true
}

func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func absent(name string) bool {
	_, err := os.Stat(name)
	return errors.Is(err, fs.ErrNotExist)
}

func statFiles(files []file) (infos []fs.FileInfo, err error) {
	for _, f := range files {
		info, err := f.stat()
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// stat refuses what would make a handshake wait, such as a FIFO.
func (f file) stat() (fs.FileInfo, error) {
	info, err := os.Stat(f.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &plainError{fmt.Sprintf("%s %s not found", f.what, f.name), err}
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", f.what, f.name, reason(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s %s is not a regular file", f.what, f.name)
	}
	return info, nil
}

// content is all of the file.
func (f file) content() ([]byte, error) {
	data, err := os.ReadFile(f.name)
	if err != nil {
		return nil, fmt.Errorf("%s %s cannot be read: %w", f.what, f.name, reason(err))
	}
	return data, nil
}

// reason is err without the path, which the caller names.
func reason(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
