package web

import (
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
)

// maxListed bounds the work one request for a listing can make.
const maxListed = 5_000

// entry is one line of a listing.
type entry struct {
	Name, Href, Size, Changed string
}

// page is what a listing says.
type page struct {
	Title   string
	Up      bool // there is a directory above
	Entries []entry
	More    bool // not everything is listed
}

// listing has its words in braces. It is no template of the standard library's:
// where one is linked, the linker keeps every method of every type, which is a
// third of the binary.
const listing = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root { color-scheme: light dark; font: 1em/1.5 system-ui, sans-serif }
body { max-width: 50em; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.2em; overflow-wrap: anywhere }
table { width: 100%; border-collapse: collapse }
td { padding: .1em .5em; overflow-wrap: anywhere }
td:first-child { width: 100% }
td + td { text-align: right; white-space: nowrap; opacity: .7 }
tr:hover { background: color-mix(in srgb, currentColor 8%, transparent) }
</style>
</head>
<body>
<h1><bdi>{title}</bdi></h1>
<table>
{rows}</table>
{more}</body>
</html>
`

// html is the page, with whatever names files have escaped.
func (p page) html() string {
	var rows strings.Builder
	if p.Up {
		rows.WriteString("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n")
	}
	for _, e := range p.Entries {
		fmt.Fprintf(&rows, "<tr><td><a href=\"%s\"><bdi>%s</bdi></a></td><td>%s</td><td>%s</td></tr>\n",
			html.EscapeString(e.Href), html.EscapeString(e.Name), e.Size, e.Changed)
	}
	if len(p.Entries) == 0 {
		rows.WriteString("<tr><td>empty</td></tr>\n")
	}
	more := ""
	if p.More {
		more = "<p>There is more than fits on this page.</p>\n"
	}
	return strings.NewReplacer("{title}", html.EscapeString(p.Title), "{rows}", rows.String(), "{more}", more).Replace(listing)
}

// serveListing answers with what is in dir, whose name is name.
func (f *Files) serveListing(w http.ResponseWriter, r *http.Request, name string, dir *os.File) {
	found, err := dir.ReadDir(maxListed + 1)
	if err != nil && err != io.EOF {
		refuseError(w, err)
		return
	}
	p := page{Title: printable(path.Join("/", name)), Up: name != "."}
	if p.More = len(found) > maxListed; p.More {
		found = found[:maxListed]
	}
	slices.SortFunc(found, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, d := range found {
		if e, ok := f.entry(name, d.Name()); ok {
			p.Entries = append(p.Entries, e)
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(p.html()))
}

// entry describes base in the directory dir. It is false for what would not
// be served, such as a link that leaves the root.
func (f *Files) entry(dir, base string) (entry, bool) {
	name, err := localName(path.Join(dir, base))
	if err != nil {
		return entry{}, false
	}
	info, err := f.root.Stat(name)
	if err != nil {
		return entry{}, false
	}
	e := entry{Name: base, Changed: info.ModTime().UTC().Format("2006-01-02 15:04")}
	switch {
	case info.IsDir():
		e.Name += "/"
	case info.Mode().IsRegular():
		e.Size = size(info.Size())
	default:
		return entry{}, false
	}
	e.Href = (&url.URL{Path: e.Name}).String()
	e.Name = printable(e.Name)
	return e, true
}

// printable replaces the control characters in name.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '\ufffd'
		}
		return r
	}, name)
}

// size writes n bytes in three digits or so.
func size(n int64) string {
	const units = "KMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	x, i := float64(n)/1000, 0
	for x >= 999.5 && i < len(units)-1 {
		x, i = x/1000, i+1
	}
	if x < 10 {
		return fmt.Sprintf("%.1f %cB", x, units[i])
	}
	return fmt.Sprintf("%.0f %cB", x, units[i])
}
