// Package nats carries a hub's messages between machines on NATS core.
package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// A server that does not answer is left after two pings, and looked for again
// without end.
const (
	pingInterval  = 2 * time.Second
	reconnectWait = 500 * time.Millisecond
	connectWait   = 2 * time.Second
)

// Engine is a connection to NATS servers. It implements hub.Engine.
type Engine struct {
	// URL is one server or several with commas between: nats://, tls:// or
	// ws(s)://, with user and password if they are needed.
	URL string
	// Hub is the name of the hub: hubs of one name are one. "" is "default".
	Hub string
	// Message is the largest data that will be published; a server that takes
	// less is an error of Start. 0: whatever it takes.
	Message int
	Log     *slog.Logger

	prefix string
	conn   *nats.Conn
	inbox  *inbox

	mu   sync.Mutex
	subs map[string]*nats.Subscription
}

// Start connects. A server that cannot be reached is waited for, in the
// background; that there is one that cannot be used is an error.
func (e *Engine) Start(receive func(subject string, data []byte, answer func([]byte) error)) error {
	if err := e.check(); err != nil {
		return err
	}
	e.prefix = "wsb." + cmp.Or(e.Hub, "default") + "."
	e.subs = map[string]*nats.Subscription{}
	e.inbox = newInbox(func(m *nats.Msg) { e.deliver(m, receive) }, e.log())
	conn, err := nats.Connect(e.URL, e.options()...)
	if err != nil {
		e.inbox.close()
		return fmt.Errorf("hub engine %s: %w", e.address(), err)
	}
	e.conn = conn
	if err := e.sizes(); err != nil {
		e.Close()
		return err
	}
	if !conn.IsConnected() {
		e.log().Warn("hub engine cannot be reached: messages stay on this machine until it can", "engine", e.address())
	}
	return nil
}

func (e *Engine) check() error {
	if strings.ContainsAny(e.Hub, ".*> \t\r\n") {
		return fmt.Errorf("hub name %q: a name on NATS has no dot, star, '>' or space in it", e.Hub)
	}
	return nil
}

func (e *Engine) options() []nats.Option {
	return []nats.Option{
		nats.Name("wsbridge hub " + e.Hub),
		nats.NoEcho(),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(reconnectWait), nats.Timeout(connectWait),
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2), nats.FlusherTimeout(2 * pingInterval),
		nats.ReconnectBufSize(-1), // nothing is replayed
		nats.ConnectHandler(e.connected), nats.ReconnectHandler(e.connected),
		nats.DisconnectErrHandler(e.disconnected), nats.ErrorHandler(e.failed),
	}
}

// sizes holds what is to be published against what the server takes.
func (e *Engine) sizes() error {
	if limit := e.MaxBytes(); limit > 0 && e.Message > limit {
		return fmt.Errorf("hub engine %s takes %d bytes in a message and the hub needs %d: raise max_payload in the server or lower the hub's message limit", e.address(), limit, e.Message)
	}
	return nil
}

func (e *Engine) connected(c *nats.Conn) {
	e.log().Info("hub engine connected", "engine", e.address(), "server", c.ConnectedUrlRedacted())
	if limit := int(c.MaxPayload()); e.Message > limit {
		e.log().Error("hub engine takes smaller messages than the hub: larger ones stay on this machine", "limit", limit, "hub", e.Message)
	}
}

func (e *Engine) disconnected(_ *nats.Conn, err error) {
	if err != nil {
		e.log().Warn("hub engine lost: messages stay on this machine until it is back", "engine", e.address(), "err", err)
	}
}

func (e *Engine) failed(_ *nats.Conn, sub *nats.Subscription, err error) {
	subject := ""
	if sub != nil {
		subject = sub.Subject
	}
	e.log().Warn("hub engine", "engine", e.address(), "subject", subject, "err", err)
}

// address is the URL without its password.
func (e *Engine) address() string {
	var shown []string
	for one := range strings.SplitSeq(e.URL, ",") {
		if u, err := url.Parse(strings.TrimSpace(one)); err == nil {
			one = u.Redacted()
		}
		shown = append(shown, one)
	}
	return strings.Join(shown, ",")
}

func (e *Engine) log() *slog.Logger { return cmp.Or(e.Log, slog.Default()) }

func (e *Engine) deliver(m *nats.Msg, receive func(string, []byte, func([]byte) error)) {
	var answer func([]byte) error
	if m.Reply != "" {
		answer = m.Respond
	}
	receive(strings.TrimPrefix(m.Subject, e.prefix), m.Data, answer)
}

// Publish fails while no server is connected: nothing is kept for later.
func (e *Engine) Publish(subject string, data []byte) error {
	return e.conn.Publish(e.prefix+subject, data)
}

// Subscribe holds over reconnections.
func (e *Engine) Subscribe(subject string) error {
	// One channel for all subscriptions keeps the order over all of them.
	sub, err := e.conn.ChanSubscribe(e.prefix+subject, e.inbox.arrived)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.subs[subject] = sub
	return nil
}

func (e *Engine) Unsubscribe(subject string) error {
	e.mu.Lock()
	sub := e.subs[subject]
	delete(e.subs, subject)
	e.mu.Unlock()
	if sub == nil {
		return nil
	}
	return sub.Unsubscribe()
}

// Ask has a subject of its own for the answers.
func (e *Engine) Ask(ctx context.Context, subject string, question []byte, each func([]byte) bool) error {
	inbox := e.conn.NewInbox()
	sub, err := e.conn.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer sub.Unsubscribe()
	if err := e.conn.PublishRequest(e.prefix+subject, inbox, question); err != nil {
		return err
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return err
		}
		if each(m.Data) {
			return nil
		}
	}
}

func (e *Engine) Up() bool { return e.conn.IsConnected() }

func (e *Engine) MaxBytes() int { return int(e.conn.MaxPayload()) }

// Close sends what was published, as far as the server takes it in a second.
func (e *Engine) Close() {
	if e.conn.IsConnected() {
		e.conn.FlushTimeout(time.Second)
	}
	e.conn.Close()
	e.inbox.close()
}
