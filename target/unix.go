package target

import (
	"cmp"
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

// queueTries is how often a full queue of waiting connections is tried again.
const queueTries = 20 * time.Millisecond

// Unix is a target reached over a unix stream socket.
type Unix struct {
	Path    string        // "@" first: a name in Linux's abstract namespace
	Timeout time.Duration // for a target too busy to accept; default 10 s
}

// Dial connects to the socket. Where the system does not wait for room in the
// queue of a busy target, Dial does. The caller closes the connection.
func (t Unix) Dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Timeout, defaultTimeout))
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", t.Path)
		if err == nil {
			return conn, nil
		}
		if !errors.Is(err, syscall.EAGAIN) {
			return nil, explain(err, unixReason)
		}
		select {
		case <-time.After(queueTries):
		case <-ctx.Done():
			return nil, &net.OpError{Op: "dial", Net: "unix", Addr: &net.UnixAddr{Name: t.Path, Net: "unix"}, Err: ctx.Err()}
		}
	}
}

// String is "unix:" and the path, which Parse reads.
func (t Unix) String() string { return "unix:" + t.Path }
