package pages

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxListed bounds the list of recordings: it has the newest.
const maxListed = 10_000

// recordings serves a folder of recordings, none of its folders.
type recordings struct{ folder fs.FS }

// entry is a recording in the list.
type entry struct {
	Name     string    `json:"name"`
	Size     int64     `json:"size"` // bytes
	Modified time.Time `json:"modified"`
}

func (rs recordings) handle(mux *http.ServeMux) {
	list, file := rs.list, rs.file
	if rs.folder == nil {
		list = absent("no recordings are shown here")
		file = list
	}
	mux.HandleFunc("GET /recordings.json", list)
	mux.HandleFunc("GET /recordings/{name}", file)
}

// absent answers for what the caller of New left out.
func absent(why string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Error(w, why, http.StatusNotFound) }
}

func (rs recordings) list(w http.ResponseWriter, r *http.Request) {
	found, err := fs.ReadDir(rs.folder, ".")
	if err != nil {
		http.Error(w, "the folder of recordings cannot be read", http.StatusInternalServerError)
		return
	}
	all := []entry{}
	for _, e := range found {
		if info, err := e.Info(); err == nil && shown(info) {
			all = append(all, entry{info.Name(), info.Size(), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(b.Modified.Compare(a.Modified), strings.Compare(b.Name, a.Name))
	})
	answer(w, all[:min(len(all), maxListed)])
}

// shown is whether a file is in the list, and served. The rest may be
// anything: a pipe would hold its reader for ever.
func shown(info fs.FileInfo) bool {
	return info.Mode().IsRegular() && !strings.HasPrefix(info.Name(), ".")
}

// file serves a recording as text: it is a script, and must not run here.
func (rs recordings) file(w http.ResponseWriter, r *http.Request) {
	content, info, err := rs.open(r.PathValue("name"))
	if err != nil {
		http.Error(w, "no such recording", http.StatusNotFound)
		return
	}
	defer content.Close()
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("ETag", fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size()))
	if seeker, ok := content.(io.ReadSeeker); ok {
		http.ServeContent(w, r, "", info.ModTime(), seeker)
		return
	}
	io.Copy(w, content)
}

// open opens a file of the list; the caller closes it.
func (rs recordings) open(name string) (fs.File, fs.FileInfo, error) {
	if !fs.ValidPath(name) || strings.ContainsAny(name, `/\`) {
		return nil, nil, fs.ErrNotExist
	}
	info, err := fs.Lstat(rs.folder, name)
	if err != nil {
		return nil, nil, err
	}
	if !shown(info) {
		return nil, nil, fs.ErrNotExist
	}
	content, err := rs.folder.Open(name)
	return content, info, err
}
