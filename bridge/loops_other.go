//go:build !linux

package bridge

// loops carry sessions by events; this system has none.
type loops struct{}

func (*loops) open(*session) bool  { return false }
func (*loops) carry(*session) bool { return false }
func (*loops) close()              {}
