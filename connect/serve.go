package connect

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// maxConns is how many connections Serve carries at a time; more wait.
const maxConns = 1024

// Serve carries every connection that l accepts through a session of its own,
// until ctx ends; then it ends them and returns nil. failed, which may be
// called at any time, is told what did not end well. A local connection whose
// session broke is reset, so that nobody takes what came of it for all. Serve
// closes l and what it accepts.
func (p Pipe) Serve(ctx context.Context, l net.Listener, failed func(client net.Addr, err error)) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	var sessions sync.WaitGroup
	defer sessions.Wait()
	slots := make(chan struct{}, maxConns)
	for pause := time.Duration(0); ; {
		slots <- struct{}{}
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil
		}
		if err != nil {
			if <-slots; errors.Is(err, net.ErrClosed) {
				return err
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			failed(l.Addr(), err)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			continue
		}
		pause = 0
		sessions.Go(func() {
			p.serveConn(ctx, conn, failed)
			<-slots
		})
	}
}

func (p Pipe) serveConn(ctx context.Context, conn net.Conn, failed func(net.Addr, error)) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetWriteDeadline(time.Now().Add(lastWords)) })
	defer stop()
	err := p.Carry(ctx, conn, conn)
	switch {
	case err == nil:
		leave(conn)
	case ctx.Err() == nil:
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		failed(conn.RemoteAddr(), err)
	}
}

// leave lets the program read all it was sent: a connection closed on unread
// bytes is reset, and takes with it what is still on its way.
func leave(conn net.Conn) {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	conn.SetReadDeadline(time.Now().Add(lastWords))
	io.Copy(io.Discard, conn)
}
