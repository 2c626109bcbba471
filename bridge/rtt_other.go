//go:build !linux

package bridge

import (
	"net"
	"time"
)

// rttOf is not known here.
func rttOf(net.Conn) time.Duration { return 0 }
