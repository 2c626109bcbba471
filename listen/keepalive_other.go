//go:build !linux

package listen

import "net"

// setKeepAlive has every accepted connection given the options.
func setKeepAlive(config *net.ListenConfig, k net.KeepAliveConfig) { config.KeepAliveConfig = k }
