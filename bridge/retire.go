package bridge

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// desertedLook is how often Retire looks whether anybody is there.
const desertedLook = 50 * time.Millisecond

// Retire is for a process whose successor accepts on the same sockets: it
// accepts no more, and waits until everybody is gone. Who was accepted, however
// little they have said so far, is served as ever, and may become a session. An
// HTTP connection is answered once more, with "Connection: close". When ctx ends
// first, Retire returns its error. Shutdown is still to come.
func (s *Server) Retire(ctx context.Context) error {
	s.once.Do(s.start)
	s.shut()
	s.serving.Lock()   // Serve has returned everywhere: all that were accepted are counted
	s.serving.Unlock() //lint:ignore SA2001 to wait is all
	look := time.NewTicker(desertedLook)
	defer look.Stop()
	for !s.deserted() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// deserted looks at connections first: one that becomes a session has its slot
// before it is no connection any more.
func (s *Server) deserted() bool {
	return s.places.count() == 0 && s.sessions.count() == 0
}

// lastAnswer ends, after Retire, an HTTP connection with the answer to come.
// One that is idle is left alone: a request may be on its way, and would be
// lost.
func (s *Server) lastAnswer(w http.ResponseWriter) {
	if s.open.Err() != nil {
		w.Header().Set("Connection", "close")
	}
}

var errStuck = errors.New("an event loop hangs")

// Pulse tells whether the bridge is alive: whether every event loop, and with
// them what accepts, takes work in before ctx ends. The error says what hangs.
func (s *Server) Pulse(ctx context.Context) error {
	s.once.Do(s.start)
	return s.loops.pulse(ctx)
}
