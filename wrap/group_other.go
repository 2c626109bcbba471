//go:build !unix

package wrap

import (
	"os"
	"syscall"
)

// ownGroup makes the program the head of a process group, where there are any.
func ownGroup() *syscall.SysProcAttr { return nil }

// terminate ends p: there is no asking here.
func terminate(p *os.Process) { p.Kill() }

// kill ends p.
func kill(p *os.Process) { p.Kill() }

// exitStatus is the program's.
func exitStatus(s *os.ProcessState) int { return s.ExitCode() }
