// Package logs is where the log goes: standard error, a file and a syslog
// server, all at once, and none of them able to hold up what logs.
package logs

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
)

// Options say where records go, and in which form.
type Options struct {
	Stderr io.Writer  // nil: not there
	Level  slog.Level // what is below is left out
	JSON   bool       // JSON instead of text, everywhere

	File string // path of the log file; empty: none

	Syslog Address // the zero value: none
	Legacy bool    // the BSD form instead of RFC 5424
	Daemon bool    // syslog's facility "daemon" instead of "user"

	level *slog.LevelVar // Level, to be changed
}

// Output sends every record to all places there are. A place that fails loses
// records, not the others' ones: they are told once, and again when it works,
// with the number of records that are missing. Its methods are safe for
// concurrent use.
type Output struct {
	log    *slog.Logger
	level  slog.LevelVar
	file   *file   // nil: none
	syslog *syslog // nil: none
}

// Open opens the log file and takes up syslog. A file that cannot be opened,
// or authorities of a TLS server that cannot be read, are an error for the
// person; a syslog server that does not answer is not, for it may yet come.
// The caller calls Close.
func Open(o Options) (*Output, error) {
	out := &Output{}
	out.level.Set(o.Level)
	o.level = &out.level
	var err error
	if o.File != "" {
		if out.file, err = openFile(o.File); err != nil {
			return nil, err
		}
	}
	if o.Syslog != (Address{}) {
		if out.syslog, err = newSyslog(o); err != nil {
			return nil, errors.Join(err, out.Close(context.Background()))
		}
	}
	out.connect(o)
	return out, nil
}

// connect makes a sink of every place, and tells each who the others are.
func (out *Output) connect(o Options) {
	var sinks []sink
	if o.Stderr != nil {
		sinks = append(sinks, newSink("standard error", newHandler(o.Stderr, o)))
	}
	if out.file != nil {
		sinks = append(sinks, newSink("log file", newHandler(out.file, o)))
	}
	var syslog sink
	if out.syslog != nil {
		syslog = newSink("syslog", newSyslogHandler(out.syslog, o))
		sinks = append(sinks, syslog)
	}
	out.log = join(sinks)
	for i, s := range sinks {
		s.state.all, s.state.others = out.log, join(slices.Concat(sinks[:i], sinks[i+1:]))
	}
	if out.syslog != nil {
		go out.syslog.deliver(syslog.state)
	}
}

// join logs to all of sinks.
func join(sinks []sink) *slog.Logger {
	handlers := make([]slog.Handler, len(sinks))
	for i, s := range sinks {
		handlers[i] = s
	}
	return slog.New(slog.NewMultiHandler(handlers...))
}

// newHandler writes records to w as a log on standard error looks.
func newHandler(w io.Writer, o Options) slog.Handler {
	options := &slog.HandlerOptions{Level: o.level}
	if o.JSON {
		options.ReplaceAttr = inSeconds
		return slog.NewJSONHandler(&plain{to: w}, options)
	}
	return slog.NewTextHandler(w, options)
}

// inSeconds makes of durations, which JSON has no form for, numbers of seconds.
func inSeconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.Float64Value(a.Value.Duration().Seconds())
	}
	return a
}

// Logger logs to all places.
func (out *Output) Logger() *slog.Logger { return out.log }

// Reopen opens the log file by its name again, after a rotation has moved it.
// When it cannot, the old one stays. It says in the log which of the two.
func (out *Output) Reopen() {
	if out.file == nil {
		return
	}
	if err := out.file.reopen(); err != nil {
		out.log.Error("log file cannot be reopened, the old one stays", "err", err)
		return
	}
	out.log.Info("log file reopened", "file", out.file.path)
}

// MoveTo goes on in another log file; where there is none, or it is that one,
// nothing happens. On an error the old one stays.
func (out *Output) MoveTo(path string) error {
	if out.file == nil || path == out.file.path {
		return nil
	}
	out.log.Info("the log goes on in another file", "file", path)
	return out.file.moveTo(path)
}

// SetLevel leaves out what is below, from now on.
func (out *Output) SetLevel(level slog.Level) { out.level.Set(level) }

// Close sends what waits for syslog, as long as ctx allows, and closes the
// file. The error says how many records syslog did not get. What is logged
// afterwards reaches standard error alone.
func (out *Output) Close(ctx context.Context) error {
	var err error
	if out.syslog != nil {
		err = out.syslog.close(ctx)
	}
	if out.file != nil {
		err = errors.Join(err, out.file.close())
	}
	return err
}
