// Package systemd is what a service and systemd say to each other: the sockets
// that systemd opened, how the service is doing, and the watchdog. It keeps to
// sd_notify(3), sd_listen_fds(3) and sd_watchdog_enabled(3).
package systemd

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Manager is systemd, to a service that it started. A nil Manager is nobody: it
// is told everything, and nothing comes of it.
type Manager struct {
	address  string // where notifications go; empty: nobody wants them
	watchdog time.Duration
	sockets  []Socket
	left     atomic.Bool
}

// Socket is an open descriptor that systemd gave.
type Socket struct {
	Name string // FileDescriptorName= of its unit
	File *os.File
}

// sendTimeout bounds the wait for a manager that does not read.
const sendTimeout = 5 * time.Second

// variables are systemd's in the environment.
var variables = []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES"}

// Meet finds in environ what systemd has left there for this process; nil: it
// is not there. The variables are taken out of the process's environment, so
// that programs started from now on do not take them for their own.
func Meet(environ []string) (*Manager, error) {
	values := lookUp(environ)
	for name := range values {
		os.Unsetenv(name)
	}
	watchdog, err := readWatchdog(values)
	if err != nil {
		return nil, err
	}
	sockets, err := readSockets(values)
	if err != nil {
		return nil, err
	}
	m := &Manager{address: values["NOTIFY_SOCKET"], watchdog: watchdog, sockets: sockets}
	if m.address == "" && len(m.sockets) == 0 {
		return nil, nil
	}
	return m, nil
}

func lookUp(environ []string) map[string]string {
	values := map[string]string{}
	for _, name := range variables {
		for _, line := range environ {
			if value, ok := strings.CutPrefix(line, name+"="); ok {
				values[name] = value
			}
		}
	}
	return values
}

// forUs tells whether the variable with a process's number has ours, or none.
func forUs(pid string) bool { return pid == "" || pid == strconv.Itoa(os.Getpid()) }

func readWatchdog(values map[string]string) (time.Duration, error) {
	text := values["WATCHDOG_USEC"]
	if text == "" || !forUs(values["WATCHDOG_PID"]) {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > int64(24*365*time.Hour/time.Microsecond) {
		return 0, fmt.Errorf("WATCHDOG_USEC=%q in the environment is no time", text)
	}
	return time.Duration(n) * time.Microsecond, nil
}

// Sockets are what systemd opened, in its order. They are the caller's.
func (m *Manager) Sockets() []Socket {
	if m == nil {
		return nil
	}
	return m.sockets
}

// Watchdog is the longest time between two Alive that systemd bears; 0: any.
func (m *Manager) Watchdog() time.Duration {
	if m == nil || m.address == "" {
		return 0
	}
	return m.watchdog
}

// Successor is what a process that takes this one's place is to find in its
// environment instead of what this one found.
func (m *Manager) Successor(environ []string) (out []string) {
	for _, line := range environ {
		name, _, _ := strings.Cut(line, "=")
		if !slices.Contains(variables, name) {
			out = append(out, line)
		}
	}
	if m == nil || m.address == "" {
		return out
	}
	out = append(out, "NOTIFY_SOCKET="+m.address)
	if m.watchdog > 0 {
		out = append(out, fmt.Sprintf("WATCHDOG_USEC=%d", m.watchdog.Microseconds()))
	}
	return out
}

// Ready says that the service serves, at its start or after Reloading. status
// is one line for systemctl status.
func (m *Manager) Ready(status string) error {
	return m.tell("READY=1\nSTATUS=" + strings.ReplaceAll(status, "\n", " "))
}

// Reloading says that a reload has begun; Ready is to follow.
func (m *Manager) Reloading() error {
	return m.tell(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", monotonic().Microseconds()))
}

// Stopping says that the service is on its way out.
func (m *Manager) Stopping() error { return m.tell("STOPPING=1") }

// MainPID says which process is the service from now on. Unless the unit has
// NotifyAccess=all, systemd believes nobody but the one that was before.
func (m *Manager) MainPID(pid int) error { return m.tell(fmt.Sprintf("MAINPID=%d", pid)) }

// Leave is for who has a successor: from now on it is for that one to speak, and
// nothing is told.
func (m *Manager) Leave() {
	if m != nil {
		m.left.Store(true)
	}
}

// Alive is for the watchdog.
func (m *Manager) Alive() error { return m.tell("WATCHDOG=1") }

// tell sends one notification.
func (m *Manager) tell(what string) error {
	if m == nil || m.address == "" || m.left.Load() {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.address, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetWriteDeadline(time.Now().Add(sendTimeout))
	_, err = conn.Write([]byte(what))
	return err
}
