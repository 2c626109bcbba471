// Package sandbox takes the file system away from the process, but for what it
// was told to leave: with Landlock, where the Linux kernel has it (5.13).
//
// The network stays as it is, and so do files and sockets that are open. It
// holds for every thread and every child, for good: a process that starts
// programs of the user's should stay out of it.
package sandbox

import (
	"os"
	"path/filepath"
	"slices"
)

// Sandbox is what is left. Names may be relative, and of files that are not
// there yet. Where a file is named it is its folder that is left, so that
// another file can take the file's place; where links lead, too. A folder is
// left with all below it.
type Sandbox struct {
	Read  []string // to be read
	Write []string // to be read, written, made and removed
	Run   []string // programs that may be started; the folder, again
}

// Enter leaves everything behind but what is named, and what the standard
// library reads of the system: names of hosts, trusted certificates, zones,
// types of files. It is for the program's start, once all is opened; a second
// time it can only take more away.
//
// It returns false where the kernel has no such thing, or does not allow it. An
// error is of a kernel that has it and failed; what is restricted then is
// unknown, and the process should end.
func (s Sandbox) Enter() (active bool, err error) {
	places := places{read: leave(s.Read), write: leave(s.Write), run: leave(s.Run)}
	places.read.add(leave([]string{nameservers}))
	places.read.add(names{folders: system})
	if len(s.Run) > 0 {
		places.run.add(names{folders: libraries})
	}
	return places.enter()
}

// nameservers leaves the whole of /etc, where files are replaced by others of
// their name, and the folder that it may be a link to.
const nameservers = "/etc/resolv.conf"

// system is what else Go's standard library and the metrics read at any time.
var system = []string{
	"/usr/share/ca-certificates", "/usr/local/share/ca-certificates", // where links of /etc/ssl lead
	"/usr/share/zoneinfo", "/usr/share/mime", "/proc", "/sys/fs/cgroup",
}

// libraries are for programs that are not static, as tests are not.
var libraries = []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64"}

// places is what is to be left, as it is now.
type places struct{ read, write, run names }

// names are of folders, and of files that are alone: those in /, whose folder
// would be everything, and devices.
type names struct{ folders, files []string }

func (n *names) add(other names) {
	n.folders = append(n.folders, other.folders...)
	n.files = append(n.files, other.files...)
}

// leave finds the places that paths are in, each once. What does not exist is
// passed over.
func leave(paths []string) (all names) {
	for _, p := range paths {
		if p, err := filepath.Abs(p); err == nil {
			all.add(leavePath(p))
		}
	}
	slices.Sort(all.folders)
	slices.Sort(all.files)
	return names{slices.Compact(all.folders), slices.Compact(all.files)}
}

// leavePath leaves the place of a name, and if it is a link, of what it leads
// to. A link to a folder can be made to lead to a neighbour.
func leavePath(path string) names {
	all := leavePlace(path)
	real, err := filepath.EvalSymlinks(path)
	if err != nil || real == path {
		return all
	}
	if link, err := os.Lstat(path); err == nil && link.Mode()&os.ModeSymlink != 0 {
		all.add(leaveFolder(filepath.Dir(path), path))
	}
	all.add(leavePlace(real))
	return all
}

func leavePlace(path string) names {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return names{folders: []string{path}}
	case err == nil && info.Mode()&os.ModeDevice != 0:
		return names{files: []string{path}}
	default:
		return leaveFolder(filepath.Dir(path), path)
	}
}

// leaveFolder leaves the folder of path, unless that is everything.
func leaveFolder(folder, path string) names {
	if folder == filepath.Dir(folder) {
		return names{files: []string{path}}
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return names{}
	}
	return names{folders: []string{folder}}
}
