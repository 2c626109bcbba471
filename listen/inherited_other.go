//go:build !unix

package listen

import (
	"errors"
	"fmt"
	"net"
)

// Inherited would take over a socket of the program that started this one,
// which there is no way to do here.
func Inherited(int) (net.Listener, error) {
	return nil, fmt.Errorf("inherited sockets: %w on this system: listen on an address", errors.ErrUnsupported)
}
