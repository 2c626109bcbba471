package content

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
)

// maxLogged is how much of a message goes into the log, in bytes.
const maxLogged = 2048

// logStep writes messages to the log, all of them or one in every.
type logStep struct {
	log   *slog.Logger
	every uint64
	seen  atomic.Uint64
}

func newLog(arg string, o Options) (step, error) {
	l := &logStep{log: o.Log, every: 1}
	if arg != "" {
		n, err := strconv.ParseUint(arg, 10, 32)
		if err != nil || n == 0 {
			return step{}, fmt.Errorf("%q is not one in how many: say log for all, or log:100 for one in a hundred", arg)
		}
		l.every = n
	}
	return step{run: l.run}, nil
}

func (l *logStep) run(ctx context.Context, data []byte, meta *Meta) ([][]byte, error) {
	if (l.seen.Add(1)-1)%l.every == 0 {
		l.log.InfoContext(ctx, "message", "direction", meta.Direction, "path", meta.Path, "client", meta.Client,
			"bytes", len(data), "data", cut(string(data[:min(len(data), maxLogged+4)]), maxLogged))
	}
	return pass(ctx, data, meta)
}
