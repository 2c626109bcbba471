package logs

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"
)

// syslogHandler makes syslog records of slog's.
type syslogHandler struct {
	slog.Handler // writes to text
	to           *syslog
	format       format
	text         *scratch
	json         bool
}

// scratch is where a record's text is put together, one at a time.
type scratch struct {
	mu sync.Mutex
	bytes.Buffer
}

func newSyslogHandler(to *syslog, o Options) slog.Handler {
	text := new(scratch)
	return syslogHandler{newHandler(text, o), to, newFormat(o), text, o.JSON}
}

func (h syslogHandler) Handle(ctx context.Context, r slog.Record) error {
	h.text.mu.Lock()
	defer h.text.mu.Unlock()
	text, err := h.describe(ctx, r)
	if err != nil {
		return err
	}
	return h.to.put(h.format.record(r.Time, r.Level, text))
}

// describe is the record without what the header tells: the message and the
// attributes after it, or a JSON object. The caller holds text.mu.
func (h syslogHandler) describe(ctx context.Context, r slog.Record) ([]byte, error) {
	const empty = `level=INFO msg=""`
	message := r.Message
	r.Time = time.Time{} // to slog: leave it out
	if !h.json {
		r.Level, r.Message = slog.LevelInfo, ""
	}
	h.text.Reset()
	if err := h.Handler.Handle(ctx, r); err != nil {
		return nil, err
	}
	text := bytes.TrimSuffix(h.text.Bytes(), []byte("\n"))
	if h.json {
		return text, nil
	}
	return append([]byte(message), bytes.TrimPrefix(text, []byte(empty))...), nil
}

func (h syslogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

func (h syslogHandler) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}
