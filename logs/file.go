package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
)

// fileMode lets the group read the log, as syslogd's files do.
const fileMode = 0o640

// file is a log file, appended to line by line. A crash of the program is
// written there, too: a daemon has no other place to say so.
type file struct {
	path string

	mu   sync.Mutex
	f    *os.File
	torn bool // the last line has no end
}

// openFile says why the file cannot be a log.
func openFile(path string) (*file, error) {
	f, err := appendTo(path)
	if err != nil {
		return nil, err
	}
	return &file{path: path, f: f}, nil
}

func appendTo(path string) (*os.File, error) {
	if err := checkKind(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, fileMode)
	if err != nil {
		return nil, fmt.Errorf("log file %s cannot be opened: %w", path, reason(err))
	}
	if err := debug.SetCrashOutput(f, debug.CrashOptions{}); err != nil {
		f.Close()
		return nil, fmt.Errorf("log file %s cannot take crashes: %w", path, err)
	}
	return f, nil
}

// checkKind refuses what could make a writer wait, such as a pipe.
func checkKind(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil // opening will tell
	}
	switch mode := info.Mode(); {
	case mode.IsRegular(), mode&fs.ModeCharDevice != 0:
		return nil
	case mode.IsDir():
		return fmt.Errorf("log file %s is a directory: name a file in it", path)
	}
	return fmt.Errorf("log file %s is not a regular file: for a pipe, standard error has the log already", path)
}

// Write appends a line, whole or not at all: what a full disk leaves of one is
// ended before the next. Each call tries anew.
func (f *file) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	whole := line
	if f.torn {
		whole = append([]byte{'\n'}, line...)
	}
	n, err := f.f.Write(whole)
	if err != nil {
		f.torn = f.torn || n > 0
		return 0, fmt.Errorf("log file %s: %w", f.path, reason(err))
	}
	f.torn = false
	return len(line), nil
}

// reopen goes over to the file that has the name now. On an error the old one
// stays.
func (f *file) reopen() error { return f.moveTo(f.path) }

// moveTo goes over to another file. On an error the old one stays.
func (f *file) moveTo(path string) error {
	next, err := appendTo(path)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.f
	f.f, f.path, f.torn = next, path, false
	if err := old.Close(); err != nil {
		return fmt.Errorf("log file %s: the old one: %w", path, reason(err))
	}
	return nil
}

func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(debug.SetCrashOutput(nil, debug.CrashOptions{}), f.f.Close())
}

// reason is err without the path, which the caller names.
func reason(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
