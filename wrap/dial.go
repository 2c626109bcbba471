package wrap

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Dial connects to the program at its moved port. While nobody listens there,
// because the program has not bound yet or is between two lives, it waits for
// up to Options.Wait or until ctx ends. The caller closes the connection.
func (p *Program) Dial(ctx context.Context) (net.Conn, error) {
	waiting, cancel := context.WithTimeout(ctx, p.options.Wait)
	defer cancel()
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		conn, err := p.connect(waiting)
		if err == nil {
			return conn, nil
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("%s has ended with status %d", p, p.ExitCode())
		case <-p.over:
			return nil, fmt.Errorf("%s has gone: %w", p, err)
		case <-waiting.Done():
			return nil, p.absent(ctx, err)
		case <-time.After(pause):
		}
	}
}

// connect tries both loopback addresses once.
func (p *Program) connect(ctx context.Context) (net.Conn, error) {
	port := strconv.Itoa(int(p.moved.Load()))
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
	if err == nil {
		return conn, nil
	}
	conn, err6 := d.DialContext(ctx, "tcp", net.JoinHostPort("::1", port))
	if err6 == nil {
		return conn, nil
	}
	return nil, err
}

// absent says why nobody answered in time; err is the last refusal.
func (p *Program) absent(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("%s: %w", p, cause)
	}
	if p.reserved != nil && !p.bound.Load() {
		return fmt.Errorf("%s has not bound port %d within %v: %w", p, p.options.Port, p.options.Wait, err)
	}
	return fmt.Errorf("%s does not listen after %v: %w", p, p.options.Wait, err)
}
