//go:build !linux

package listen

import "net"

// setKeepAlive has every accepted connection given the options.
func setKeepAlive(config *net.ListenConfig, k net.KeepAliveConfig) { config.KeepAliveConfig = k }

// keepAliveOn does nothing: see setKeepAlive.
func keepAliveOn(*net.TCPListener, net.KeepAliveConfig) error { return nil }
