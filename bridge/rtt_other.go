//go:build !linux

package bridge

import (
	"net"
	"time"
)

// rttOf is not known here.
func rttOf(net.Conn) time.Duration { return 0 }

// ackedBy is not known here.
func ackedBy(net.Conn) int64 { return 0 }
