package systemd

import (
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is the system's clock that systemd compares with its own.
func monotonic() time.Duration {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return 0 // no Linux is without
	}
	return time.Duration(now.Nano())
}

func closeOnExec(fd int) { unix.CloseOnExec(fd) }
