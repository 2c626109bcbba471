//go:build http3

package main

import (
	"errors"
	"net"

	"github.com/wsbridge/wsbridge/bridge"
)

// acceptHTTP3 serves HTTP/3 on the UDP port of a TCP listener's number, where
// there is TLS. Without it the bridge goes on.
func (s *service) acceptHTTP3(l net.Listener) {
	tcp, ok := l.Addr().(*net.TCPAddr)
	if !ok || s.current.rules.TLS == nil {
		return
	}
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: tcp.IP, Port: tcp.Port, Zone: tcp.Zone})
	if err != nil {
		s.log.Warn("no HTTP/3", "err", err)
		return
	}
	s.log.Info("HTTP/3, which is experimental", "udp", socket.LocalAddr().String())
	if err := s.server.ServeHTTP3(socket); !errors.Is(err, bridge.ErrServerClosed) {
		s.log.Error("no more HTTP/3", "err", err)
	}
}
