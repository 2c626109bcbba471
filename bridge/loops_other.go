//go:build !linux

package bridge

import (
	"context"
	"net"
)

// loops carry sessions by events; this system has none.
type loops struct{}

func (*loops) open(*session) bool  { return false }
func (*loops) carry(*session) bool { return false }
func (*loops) close()              {}

func (*loops) pulse(context.Context) error { return nil }

// porch is where a loop receives connections.
type porch struct{}

func (*Server) newPorch(net.Listener) *porch { return nil }
func (*porch) shut()                         {}
func (*porch) close()                        {}
