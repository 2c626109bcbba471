//go:build unix && !linux

package wrap

import (
	"os"
	"syscall"
)

// ownGroup makes the program the head of a process group.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// terminate asks p's group to end.
func terminate(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGTERM) }

// kill ends p's group.
func kill(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }

// exitStatus is what a shell would say: 128+n for signal n.
func exitStatus(s *os.ProcessState) int {
	if status, ok := s.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return s.ExitCode()
}
