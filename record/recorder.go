package record

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Recorder records sessions, each in a file of its own that only its owner may
// read: Prefix.1, Prefix.2 and so on. No file is ever overwritten. A nil
// Recorder records nothing and costs nothing.
//
// What goes wrong with a recording, a full disk above all, ends the recording
// and is logged once; the session goes on. At any time, and whatever becomes
// of the process, a file that was written to is a whole recording.
type Recorder struct {
	Prefix   string       // absolute, if the process may change its directory
	MaxBytes int64        // largest size of a file; 0: no limit
	Log      *slog.Logger // nil: slog.Default

	mu   sync.Mutex
	last int // the number given last
}

// Start says why recordings cannot be made, and makes whole the ones of Prefix
// that others left without an end; see Repair. It is for the program's start:
// Wrap does not need it.
func (r *Recorder) Start() error {
	if err := r.check(); err != nil {
		return err
	}
	names, err := r.existing()
	if err != nil {
		return fmt.Errorf("look for recordings: %w", err)
	}
	for _, name := range names {
		r.repair(name)
	}
	return nil
}

func (r *Recorder) check() error {
	dir, base := filepath.Split(r.Prefix)
	if base == "" {
		return fmt.Errorf("recordings need the start of a file's name, not a directory: say %s", filepath.Join(dir, "session"))
	}
	// One name for all probes: those of processes that were killed do not pile up.
	probe, err := os.OpenFile(r.Prefix+".tmp", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return notThere(os.Remove(r.Prefix + ".tmp"))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("recordings: directory %s does not exist: create it first: %w", filepath.Dir(r.Prefix), fs.ErrNotExist)
	}
	if err != nil {
		return fmt.Errorf("recordings: files cannot be made in directory %s: choose another: %w", filepath.Dir(r.Prefix), err)
	}
	probe.Close()
	return notThere(os.Remove(probe.Name()))
}

// notThere is no error: another bridge's probe removed it.
func notThere(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// existing lists the files that Wrap made, or could have made.
func (r *Recorder) existing() (names []string, err error) {
	dir, base := filepath.Split(r.Prefix)
	entries, err := os.ReadDir(filepath.Dir(r.Prefix))
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), base+".")
		if _, err := strconv.ParseUint(number, 10, 64); ok && err == nil && e.Type().IsRegular() {
			names = append(names, dir+e.Name())
		}
	}
	return names, err
}

func (r *Recorder) repair(name string) {
	repaired, err := Repair(name)
	switch {
	case errors.Is(err, ErrInUse):
	case err != nil:
		r.log().Warn("cannot see to an old recording", "file", name, "err", err)
	case repaired:
		r.log().Info("gave an old recording its end", "file", name)
	}
}

// Wrap returns target so that what is read from and written to it is recorded
// from now on, until it is closed: one frame for each Read and Write. What is
// written is recorded first, so that it stands before its answer. The caller
// closes the returned connection instead of target.
//
// A Read or Write waits for the disk only when about a megabyte is still to be
// written, and for a second at most: then the recording ends. So does Close,
// which otherwise returns when all is in the file.
//
// session are attributes, as slog has them, that tell sessions apart in the
// log.
func (r *Recorder) Wrap(target net.Conn, session ...any) net.Conn {
	if r == nil {
		return target
	}
	return &conn{target, start(r.create, r.MaxBytes, r.log().With(session...))}
}

// create makes the file with the next free number.
func (r *Recorder) create() (*os.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := r.last + 1; ; n++ {
		f, err := create(fmt.Sprintf("%s.%d", r.Prefix, n))
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			r.last = n
		}
		return f, err
	}
}

func (r *Recorder) log() *slog.Logger { return cmp.Or(r.Log, slog.Default()) }

// conn is a target that is recorded.
type conn struct {
	net.Conn
	recording *recording
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.recording.add(false, p[:n])
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	c.recording.add(true, p)
	return c.Conn.Write(p)
}

// CloseWrite ends the sending side. A target that has no sides of its own is
// closed: there is no other way to tell it.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.Join(errors.ErrUnsupported, c.Conn.Close())
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.recording.close()
	return err
}
