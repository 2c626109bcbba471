//go:build !unix

package listen

import (
	"errors"
	"net"
	"os"
)

// adoptListener would serve a socket of another process.
func adoptListener(f *os.File) (net.Listener, error) {
	f.Close()
	return nil, errors.ErrUnsupported
}

// succeed is nil: nothing is ever given.
func (Unix) succeed(h Handed) net.Listener { return nil }

// handOn would be a socket for another process.
func handOn(openSocket) (Handed, error) { return Handed{}, errors.ErrUnsupported }
