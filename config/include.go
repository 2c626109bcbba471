package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxDepth is how many files may stand in each other.
const maxDepth = 8

var errTooMuch = fmt.Errorf("with this file more than %d bytes of configuration", maxReadSize)

// disk is where files are.
type disk struct {
	open func(name string) (fs.File, error)
	glob func(pattern string) ([]string, error) // in order
}

func systemDisk() disk {
	return disk{func(name string) (fs.File, error) { return os.Open(name) }, filepath.Glob}
}

// includeOption is the row of include, which only files have.
func includeOption() Option {
	return Option{Long: includeKey, Metavar: "F", Help: "read the files F first, where * and ? stand for parts of a name; a relative one starts at this file's folder; what this file says wins, lists add up", to: new(Verbatim)}
}

// include reads the files that p names, in order. A pattern that fits nothing
// is well; a name that does not exist is not.
func (r *reader) include(name string, p pair, chain []string) error {
	patterns, err := r.readKey(table{includeOption()}, name, p)
	if err != nil {
		return err
	}
	for _, pattern := range patterns {
		if pattern.text == "" { // include: [] is an assignment of nothing
			continue
		}
		files, err := r.disk.matches(beside(name, pattern.text))
		if err != nil {
			return usageErrorf("write a [ that is part of a name as [[]", "%s: %q: %s", pattern.place(), pattern.text, err)
		}
		for _, file := range files {
			if err := r.includeFile(pattern, file, chain); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) includeFile(pattern assignment, file string, chain []string) error {
	if slices.Contains(chain, filepath.Clean(file)) {
		return usageErrorf("leave out one of these includes", "%s: files include each other: %s", pattern.place(), strings.Join(append(chain, file), " > "))
	}
	if len(chain) > maxDepth {
		return usageErrorf("include it from a file further out", "%s: %s would be more than %d files deep", pattern.place(), file, maxDepth)
	}
	text, err := r.content(file, maxFileSize)
	switch {
	case errors.Is(err, errTooMuch):
		return usageErrorf("include less", "%s: %s: %s", pattern.place(), file, err)
	case err != nil:
		return usageErrorf("name a file that may be read; a relative name starts at the folder of this file", "%s: %s", pattern.place(), err)
	}
	return r.file(file, text, chain)
}

// matches is the files that a pattern fits, or the one that it names.
func (d disk) matches(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, "*?[") {
		return []string{pattern}, nil
	}
	return d.glob(pattern)
}

// beside is a path as a file means it: from the file's folder.
func beside(file, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}

// content reads a file of at most most bytes.
func (r *reader) content(name string, most int) ([]byte, error) {
	f, err := r.disk.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r.read = append(r.read, name)
	text, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err != nil {
		return nil, err
	}
	if len(text) > most {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	if r.left -= len(text); r.left < 0 {
		return nil, errTooMuch
	}
	return text, nil
}
