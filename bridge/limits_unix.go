//go:build unix

package bridge

import "golang.org/x/sys/unix"

// openFiles is how many descriptors the process may have.
func openFiles() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil || r.Cur > 1<<20 {
		return 1 << 20
	}
	return int(r.Cur)
}
