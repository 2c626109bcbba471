//go:build !unix

package bridge

import (
	"errors"
	"net"
)

// newRawSource is nil: here sockets are read by the net package alone.
func newRawSource(net.Conn, *buffers) source { return nil }

// discardUnread does nothing: there is no reading here that does not wait.
func discardUnread(net.Conn) {}

// gate has no form here; TLS clients are read by blocking reads.
type gate struct{}

func newGate(net.Conn, []byte, *buffers) *gate { return nil }

func (*gate) tryRead([]byte) (int, error) { return 0, errors.ErrUnsupported }
func (*gate) wait() error                 { return errors.ErrUnsupported }
