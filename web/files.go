package web

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Files serves the files of one directory. Symbolic links work as long as
// they are relative and stay inside it; everything that is neither a regular
// file nor a directory is not found. Names that begin with a dot are served
// and listed like all others: keep secrets out of the directory. Clients may
// cache, but ask again every time, so that a change is seen at once.
type Files struct {
	root *os.Root
	list bool
}

// Open serves the directory dir; with list, a directory without index.html is
// answered with a listing instead of 404. The caller closes the Files.
func Open(dir string, list bool) (*Files, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("web directory %s does not exist: %w", dir, fs.ErrNotExist)
	case err != nil:
		return nil, fmt.Errorf("web directory: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("%s is a file: name the directory that holds the web files", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("web directory: %w", err)
	}
	return &Files{root, list}, nil
}

// Close lets go of the directory; requests after it are not found.
func (f *Files) Close() error { return f.root.Close() }

// ServeHTTP answers GET and HEAD.
func (f *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	name, ok := fileName(r.URL.Path)
	if !ok {
		refuse(w, http.StatusNotFound, "not found")
		return
	}
	file, info, err := f.open(name)
	if err != nil {
		refuseError(w, err)
		return
	}
	defer file.Close()
	isDir, asDir := info.IsDir(), strings.HasSuffix(r.URL.Path, "/")
	switch {
	case isDir && asDir:
		f.serveDirectory(w, r, name, file)
	case isDir:
		redirectToDirectory(w, r)
	case asDir:
		refuse(w, http.StatusNotFound, "not found: this is a file, leave the last slash out")
	default:
		serveFile(w, r, file, info)
	}
}

// fileName turns a request's path into the slash-separated name of a file in
// the root, "." for the root itself. It is false for a path that climbs.
func fileName(urlPath string) (string, bool) {
	if slices.Contains(strings.Split(urlPath, "/"), "..") {
		return "", false
	}
	return cmp.Or(strings.TrimPrefix(path.Clean("/"+urlPath), "/"), "."), true
}

// localName is name as the system writes it. Some names are nothing's here:
// those with a backslash or NUL in them or not in UTF-8, and CON and C: on
// Windows.
func localName(name string) (string, error) {
	local, err := filepath.Localize(name)
	if err != nil || strings.Contains(name, `\`) {
		return "", fs.ErrNotExist
	}
	return local, nil
}

// open opens a regular file or a directory; everything else does not exist.
func (f *Files) open(name string) (*os.File, fs.FileInfo, error) {
	local, err := localName(name)
	if err != nil {
		return nil, nil, err
	}
	file, err := f.root.OpenFile(local, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

func (f *Files) serveDirectory(w http.ResponseWriter, r *http.Request, name string, dir *os.File) {
	index, info, err := f.open(path.Join(name, "index.html"))
	if err == nil {
		defer index.Close()
	}
	switch {
	case err == nil && !info.IsDir():
		serveFile(w, r, index, info)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		refuseError(w, err)
	case f.list:
		f.serveListing(w, r, name, dir)
	default:
		refuse(w, http.StatusNotFound, "not found: this directory is not listed")
	}
}

// serveFile leaves ranges and conditions to net/http.
func serveFile(w http.ResponseWriter, r *http.Request, file *os.File, info fs.FileInfo) {
	w.Header().Set("Content-Type", contentType(file.Name()))
	w.Header().Set("ETag", etag(info))
	http.ServeContent(w, r, "", info.ModTime(), file)
}

// etag changes when the file does.
func etag(info fs.FileInfo) string {
	return `"` + strconv.FormatInt(info.ModTime().UnixNano(), 36) + "-" + strconv.FormatInt(info.Size(), 36) + `"`
}

// redirectToDirectory adds the slash that relative links in a directory need.
// The answer is relative, so it never leads to another host.
func redirectToDirectory(w http.ResponseWriter, r *http.Request) {
	to := url.URL{Path: path.Base(r.URL.Path) + "/", RawQuery: r.URL.RawQuery}
	w.Header().Set("Location", to.String())
	w.WriteHeader(http.StatusMovedPermanently)
}

// refuseError answers a file that cannot be opened. A link that leaves the
// root has an error of its own, and is not found like one that leads nowhere.
func refuseError(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, fs.ErrPermission):
		refuse(w, http.StatusForbidden, "forbidden: the server may not read this file")
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		refuse(w, http.StatusServiceUnavailable, "too many open files: try again later")
	default:
		refuse(w, http.StatusNotFound, "not found")
	}
}
