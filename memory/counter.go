package memory

import (
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// counter is a file of a cgroup with the bytes that sockets take: alone in it, or
// behind a name.
type counter struct {
	file fs.File
	at   io.ReaderAt
	name string // "": alone
}

// openCounters opens those of the nearest cgroups that can be seen, one for each
// version. The whole machine's has no limits, and sockets that are not ours.
func openCounters(system fs.FS) (all []counter) {
	seen := map[string]bool{}
	for _, g := range cgroups(system) {
		if _, err := fs.Stat(system, path.Join(g.dir, g.limits[0])); err != nil || seen[g.sockets] {
			continue
		}
		seen[g.sockets] = true
		file, err := system.Open(path.Join(g.dir, g.sockets))
		if err != nil {
			continue
		}
		if at, ok := file.(io.ReaderAt); ok {
			all = append(all, counter{file, at, g.name})
		}
	}
	return all
}

// statBytes is more than such a file has.
const statBytes = 16 << 10

// read is 0 when the file says nothing.
func (c counter) read() int64 {
	text, _ := io.ReadAll(io.NewSectionReader(c.at, 0, statBytes))
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, c.name); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return max(n, 0)
		}
	}
	return 0
}
