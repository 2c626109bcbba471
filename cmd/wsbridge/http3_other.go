//go:build !http3

package main

import "net"

// acceptHTTP3 serves nothing: HTTP/3 is not built in.
func (s *service) acceptHTTP3(net.Listener) {}
