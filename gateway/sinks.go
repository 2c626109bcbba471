package gateway

import (
	"context"
	"net"
	"os"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/message"
	"github.com/wsbridge/wsbridge/target"
)

// sinkTimeout is how long a sink has to take one record.
const sinkTimeout = 10 * time.Second

// FileSink appends a line for each record to the file, which only its owner
// may read. The file is opened for each, so that it can be moved away.
func FileSink(name string) func(record []byte) error {
	return func(record []byte) error {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(append(record, '\n'))
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		return err
	}
}

// LineSink sends a line for each record over a connection of its own.
func LineSink(to target.Target) func(record []byte) error {
	return func(record []byte) error {
		ctx, cancel := context.WithTimeout(context.Background(), sinkTimeout)
		defer cancel()
		conn, err := to.Dial(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(sinkTimeout))
		if _, err = conn.Write(append(record, '\n')); err != nil {
			return err
		}
		return closeWrite(conn)
	}
}

func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// MessageSink sends a text message for each record over a WebSocket of its own.
func MessageSink(to target.WebSocket) func(record []byte) error {
	return func(record []byte) error {
		ctx, cancel := context.WithTimeout(context.Background(), sinkTimeout)
		defer cancel()
		up, err := to.Dial(ctx)
		if err != nil {
			return err
		}
		c := message.New(up.Conn, message.Options{FromServer: true, Early: up.Early, WriteTimeout: sinkTimeout})
		defer c.Finish(time.Now().Add(sinkTimeout))
		if err := c.Write(message.Message{Text: true, Data: record}); err != nil {
			return err
		}
		return c.Close(ws.StatusNormalClosure, "")
	}
}
