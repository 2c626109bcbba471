//go:build !unix

package main

import (
	"os"

	"github.com/wsbridge/wsbridge/listen"
)

// upgrader would start this program once more. There is no signal for that
// here, and no socket can be handed on.
type upgrader struct{}

func newUpgrader(*startup) (*upgrader, error) { return nil, nil }

func (*upgrader) asked() <-chan os.Signal { return nil }
func (*upgrader) word() <-chan error      { return nil }
func (*upgrader) successor() int          { return 0 }
func (*upgrader) stop()                   {}

func (*service) startSuccessor()            {}
func (*service) handedOver(error) (ok bool) { return false }

// predecessor is the process that this one succeeds. There is never one here.
type predecessor struct{}

func newPredecessor([]string, *listen.Sockets) (*predecessor, error) { return nil, nil }

func (*predecessor) succeed() error { return nil }
func (*predecessor) refuse(error)   {}

// openPidFile is that of the system.
func (l *startup) openPidFile(path string) (*pidFile, error) { return openPidFile(path) }

// take has nothing to take over.
func (*pidFile) take() error { return nil }
