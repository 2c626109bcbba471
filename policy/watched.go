package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	lookEvery  = time.Second     // stat no more often
	settled    = 2 * time.Second // a file changed since then may change again unseen
	maxContent = 64 << 20        // of a source, in bytes
)

// watched is what is made of a file, or of the files of a directory; made anew
// when one of them has changed.
type watched[T any] struct {
	path  string
	parse func([]content) (T, error)
	now   func() time.Time

	mu     sync.Mutex
	looked time.Time
	stamps []stamp // of what value was made of
	fresh  bool    // it may change again with the same stamp
	value  T
	err    error
}

// stamp tells one version of a file from the next.
type stamp struct {
	path string
	size int64
	mode fs.FileMode // what cannot be read may become readable
	time time.Time
}

func newStamp(path string, info fs.FileInfo) stamp {
	return stamp{path, info.Size(), info.Mode(), info.ModTime()}
}

// content is a file that was read, or could not be.
type content struct {
	path string
	data []byte
	err  error
}

// get is the value of now. What cannot be read or parsed has none: nobody gets
// in by what a file said once.
func (w *watched[T]) get() (T, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if since := now.Sub(w.looked); since >= 0 && since < lookEvery {
		return w.value, w.err
	}
	w.looked = now
	stamps, err := look(w.path)
	if err == nil && w.err == nil && w.stamps != nil && !w.fresh && slices.Equal(stamps, w.stamps) {
		return w.value, w.err
	}
	w.stamps = stamps
	w.fresh = slices.ContainsFunc(stamps, func(s stamp) bool { return now.Sub(s.time) < settled })
	var files []content
	if err == nil {
		files, err = read(w.path, stamps)
	}
	if err != nil {
		w.value, w.err = *new(T), err
	} else {
		w.value, w.err = w.parse(files)
	}
	return w.value, w.err
}

// look finds the files of path in the order of their names. Not nil without
// an error.
func look(path string) ([]stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is neither a file nor a directory", path)
		}
		return []stamp{newStamp(path, info)}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	stamps := []stamp{}
	for _, entry := range entries {
		name := filepath.Join(path, entry.Name())
		info, err := os.Stat(name)
		switch {
		case isLeftOut(entry.Name()) || errors.Is(err, fs.ErrNotExist):
		case err != nil:
			stamps = append(stamps, stamp{path: name}) // reading it tells why
		case info.Mode().IsRegular():
			stamps = append(stamps, newStamp(name, info))
		}
	}
	return stamps, nil
}

// isLeftOut tells what editors and copiers leave in a directory.
func isLeftOut(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~")
}

// read reads all of them; only if it is path itself that cannot be read, it
// fails.
func read(path string, stamps []stamp) ([]content, error) {
	var files []content
	left := int64(maxContent)
	for _, s := range stamps {
		data, err := readFile(s.path, left)
		if err != nil && s.path == path {
			return nil, err
		}
		left -= int64(len(data))
		files = append(files, content{s.path, data, err})
	}
	return files, nil
}

func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readAll(f, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

var errTooLong = errors.New("there is too much of it")

// readAll reads up to limit bytes, and fails if there are more.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, errTooLong
	}
	return data, err
}

// remark is what is wrong with a line.
type remark struct {
	path string
	line int
	what string
}

// remarks says each of them once, and not again before it was mended.
type remarks struct {
	log  *slog.Logger
	said map[remark]bool
}

const maxRemarks = 20 // said of one version

func (r *remarks) say(all []remark) {
	said, news := map[remark]bool{}, 0
	for _, m := range all {
		said[m] = true
		if r.said[m] {
			continue
		}
		if news++; news <= maxRemarks {
			r.log.Warn(m.what, "at", fmt.Sprintf("%s:%d", m.path, m.line))
		}
	}
	if news > maxRemarks {
		r.log.Warn("there are more such lines", "lines", news-maxRemarks)
	}
	r.said = said
}

// unread remarks that a file could not be read.
func (c content) unread() []remark {
	if c.err == nil {
		return nil
	}
	return []remark{{c.path, 0, "the file is left out: " + c.err.Error()}}
}

// lines are a file's lines with their numbers: without line ends, a byte order
// mark, spaces around, blank ones, and comments.
func (c content) lines(yield func(int, string) bool) {
	n := 0
	text := strings.TrimPrefix(string(c.data), "\uFEFF")
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if !yield(n, line) {
			return
		}
	}
}
