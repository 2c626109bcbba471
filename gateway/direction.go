package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/wsbridge/wsbridge/content"
	"github.com/wsbridge/wsbridge/message"
)

// direction is one way of a session.
type direction struct {
	v        *Visit
	from     *message.Conn
	pipeline *content.Pipeline
	meta     content.Meta
	by       string // whose messages these are: "client" or "target"
	send     func(message.Message) error
	ended    func(error) ending // what a failing Read means
	failed   func(error) ending // what a failing send means
	refused  int
}

// run carries messages until either side ends.
func (d *direction) run() ending {
	for {
		m, err := d.from.Read()
		if err != nil {
			return d.ended(err)
		}
		if end := d.pass(m); end != nil {
			return *end
		}
	}
}

// pass sends on what becomes of m; nil: the session goes on.
func (d *direction) pass(m message.Message) *ending {
	if d.pipeline == nil {
		return d.deliver(m)
	}
	d.meta.Time = time.Now()
	m.Data = bytes.Clone(m.Data) // a step that is out of time may still read it
	results, err := d.pipeline.Run(context.Background(), content.Message(m), d.meta)
	var bad *content.Error
	if errors.As(err, &bad) {
		return d.refuse(m, bad)
	}
	if len(results) == 0 {
		d.v.route.counters.filtered.Add(1)
	}
	for _, result := range results {
		if end := d.deliver(message.Message(result)); end != nil {
			return end
		}
	}
	return nil
}

func (d *direction) deliver(m message.Message) *ending {
	if err := d.send(m); err != nil {
		end := weakly(d.failed(err))
		return &end
	}
	return nil
}

// refuse does with a bad message what the route says. Nothing is dropped in
// silence: the first of a session is a warning, the others are for --verbose.
func (d *direction) refuse(m message.Message, bad *content.Error) *ending {
	route := d.v.route
	route.counters.refused.Add(1)
	level := slog.LevelDebug
	if d.refused++; d.refused == 1 {
		level = slog.LevelWarn
	}
	route.log().Log(context.Background(), level, "message refused", "route", route.Name, "client", d.meta.Client,
		"from", d.by, "stage", bad.Stage, "code", bad.Code, "reason", bad.Reason, "bytes", len(m.Data), "err", bad.Err)
	switch route.OnError {
	case Drop:
	case Reply:
		if err := d.from.Write(message.Message{Text: true, Data: bad.Reply(d.meta.ContentType)}); err != nil {
			end := weakly(d.ended(err))
			return &end
		}
	case Fault:
		route.Fault.report(d, m, bad)
	default:
		end := refused(d.by, bad.Code, bad.Reason)
		return &end
	}
	return nil
}
