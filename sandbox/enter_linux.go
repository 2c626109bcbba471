package sandbox

import (
	"errors"
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock"
	abi "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

const (
	mayRead   = abi.AccessFSReadFile | abi.AccessFSReadDir
	mayChange = abi.AccessFSWriteFile | abi.AccessFSTruncate | abi.AccessFSRemoveFile | abi.AccessFSRemoveDir |
		abi.AccessFSMakeReg | abi.AccessFSMakeDir | abi.AccessFSMakeSock | abi.AccessFSMakeSym
	// Of a file, not of a folder.
	mayWriteFile = abi.AccessFSReadFile | abi.AccessFSWriteFile | abi.AccessFSTruncate
)

// devices can be had by everybody, and harm nobody.
var devices = []string{"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/tty"}

// enter asks for what Landlock knew in its fifth version, files alone, less
// what an older kernel has not got. What later versions restrict, unix sockets
// above all, stays free on each kernel alike.
func (p places) enter() (active bool, err error) {
	version, err := abi.LandlockGetABIVersion()
	if err != nil || version < 1 {
		return false, nil // not built in, not turned on at boot, or forbidden by seccomp
	}
	err = landlock.V5.BestEffort().RestrictPaths(p.rules()...)
	if errors.Is(err, unix.E2BIG) {
		return true, nil // within sixteen of them already, after as many upgrades
	}
	if err != nil {
		return false, fmt.Errorf("landlock: %w", err)
	}
	return true, nil
}

// rules are what may be done where. The library leaves out of them what the
// kernel's version cannot restrict.
func (p places) rules() []landlock.Rule {
	return []landlock.Rule{
		landlock.PathAccess(mayRead, p.read.folders...).IgnoreIfMissing(),
		landlock.PathAccess(abi.AccessFSReadFile, p.read.files...).IgnoreIfMissing(),
		landlock.PathAccess(mayRead|mayChange, p.write.folders...).IgnoreIfMissing(),
		landlock.PathAccess(mayWriteFile, p.write.files...).IgnoreIfMissing(),
		landlock.PathAccess(mayWriteFile|abi.AccessFSIoctlDev, devices...).IgnoreIfMissing(),
		landlock.PathAccess(abi.AccessFSExecute|abi.AccessFSReadFile, p.run.folders...).IgnoreIfMissing(),
		landlock.PathAccess(abi.AccessFSExecute|abi.AccessFSReadFile, p.run.files...).IgnoreIfMissing(),
	}
}
