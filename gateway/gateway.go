// Package gateway joins WebSocket clients to WebSocket targets, message by
// message: kinds, boundaries and close codes cross, and on the way messages are
// held against their content type and go through the steps of their route.
package gateway

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wsbridge/wsbridge/content"
	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/message"
	"github.com/wsbridge/wsbridge/target"
)

// Broadcast says who gets what a client's own connection to the target brings.
type Broadcast uint8

const (
	Self   Broadcast = iota // the client alone
	All                     // every client of the same route and path
	Others                  // all of these but the client
)

// OnError says what becomes of a message that its content type or a step
// refuses. It is counted and logged in any case.
type OnError uint8

const (
	Close OnError = iota // the session ends, with the code of the refusal
	Drop                 // the message goes nowhere
	Reply                // its sender gets a description of what is wrong
	Fault                // Route.Fault gets it, and nobody else
)

// Route is a WebSocket target for clients. Set the fields before the first use
// and leave them alone.
type Route struct {
	Name   string // in logs and as part of a broadcast group
	Target target.WebSocket

	Content content.Rule
	In, Out *content.Pipeline // to and from the target; nil: as it comes
	OnError OnError
	Fault   *Faults // for OnError Fault

	// Subprotocols, when not empty, are the only ones offered onward; a
	// content type's own is always.
	Subprotocols []string
	// StrictSubprotocol refuses a target that chooses none of those offered.
	StrictSubprotocol bool
	// AcceptFirst answers the client's handshake before the target is dialled:
	// then a target out of reach is a close with 1014 instead of a 502 or 504.
	AcceptFirst bool

	Broadcast Broadcast
	Hub       *hub.Hub // for All and Others

	ForwardHeaders []string    // of the client's request, to the target
	SetHeaders     http.Header // to the target, in any case
	Forwarded      bool        // tell the target X-Forwarded-For, -Proto and -Host
	PassControl    bool        // pings and pongs cross instead of being answered here

	MaxBytes   int           // of one message; default 16 MiB
	EndTimeout time.Duration // from a session's first end to its last; default 30 s
	Log        *slog.Logger  // nil: slog.Default

	counters counters
}

// Refusal is an answer given instead of a session.
type Refusal struct {
	Status int
	Reason string
}

func (r *Refusal) Error() string { return r.Reason }

// Ending is how a session ended: By is "client", "target" or "bridge", and
// Reason and Code are what the client is told.
type Ending struct {
	By     string
	Code   int
	Reason string
	Dial   time.Duration
	// Answer is the target's own answer to the client's Close, for the client;
	// nil: there is none.
	Answer *message.CloseError
}

// Stats counts what a route did with messages it did not just carry.
type Stats struct {
	Filtered int64 // by a step, on purpose
	Refused  int64 // by content type or step, whatever OnError made of it
	Sessions int64 // that began
}

type counters struct{ filtered, refused, sessions atomic.Int64 }

// Stats may be called at any time.
func (rt *Route) Stats() Stats {
	return Stats{rt.counters.filtered.Load(), rt.counters.refused.Load(), rt.counters.sessions.Load()}
}

// Admit takes a client, and unless AcceptFirst says otherwise reaches the
// target for it: r's context and the target's own timeout bound that. From then on
// it hears its broadcast group. The error is a *Refusal. The caller calls Serve or
// Leave of the Visit.
func (rt *Route) Admit(r *http.Request) (*Visit, error) {
	offered := content.SplitOffered(r.Header.Values("Sec-WebSocket-Protocol"))
	subprotocol, contentType, err := rt.Content.Choose(offered, r.URL.Query())
	if err != nil {
		return nil, &Refusal{http.StatusBadRequest, err.Error()}
	}
	v := &Visit{route: rt, request: rt.onward(r), subprotocol: subprotocol, contentType: contentType}
	v.meta = rt.meta(r, contentType)
	v.request.Subprotocols = rt.offer(offered, subprotocol)
	if rt.AcceptFirst {
		v.chosen = first(v.request.Subprotocols)
	} else if err := v.reach(r.Context()); err != nil {
		return nil, refusal(err)
	}
	v.subprotocol = cmp.Or(subprotocol, v.chosen)
	if err := v.join(); err != nil {
		v.abandon(1013, err.Error())
		return nil, &Refusal{http.StatusServiceUnavailable, err.Error()}
	}
	return v, nil
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// offer is which subprotocols the target is offered: the one that settled the
// content type, or what the client offers and the route lets pass.
func (rt *Route) offer(offered []string, chosen string) []string {
	if chosen != "" {
		return []string{chosen}
	}
	if len(rt.Subprotocols) == 0 {
		return offered
	}
	return slices.DeleteFunc(slices.Clone(offered), func(name string) bool { return !slices.Contains(rt.Subprotocols, name) })
}

// onward is the target with the request headers it is to get.
func (rt *Route) onward(r *http.Request) target.WebSocket {
	to := rt.Target
	h := to.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	for _, name := range rt.ForwardHeaders {
		if values := r.Header.Values(name); len(values) > 0 && !hopByHop(name) {
			h[http.CanonicalHeaderKey(name)] = values
		}
	}
	for name, values := range rt.SetHeaders {
		h[name] = values
	}
	if rt.Forwarded {
		forward(h, r)
	}
	to.Header = h
	return to
}

// hopByHop tells which headers are each side's own (RFC 9110, 7.6.1; RFC 6455,
// 11.3).
func hopByHop(name string) bool {
	name = http.CanonicalHeaderKey(name)
	own := []string{"Connection", "Upgrade", "Host", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Content-Length"}
	return slices.Contains(own, name) || strings.HasPrefix(name, "Sec-Websocket-") || strings.HasPrefix(name, "Proxy-")
}

func forward(h http.Header, r *http.Request) {
	proto := "http"
	if r.TLS != nil {
		proto = "https"
	}
	h.Set("X-Forwarded-For", addressOf(r))
	h.Set("X-Forwarded-Proto", proto)
	h.Set("X-Forwarded-Host", r.Host)
}

func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// meta is what steps may know of the session.
func (rt *Route) meta(r *http.Request, contentType string) content.Meta {
	seen := map[string]string{}
	for _, name := range rt.ForwardHeaders {
		if value := r.Header.Get(name); value != "" {
			seen[http.CanonicalHeaderKey(name)] = value
		}
	}
	return content.Meta{Path: r.URL.Path, Header: seen, Client: r.RemoteAddr, ContentType: contentType}
}

func (rt *Route) log() *slog.Logger { return cmp.Or(rt.Log, slog.Default()) }

func (rt *Route) endTimeout() time.Duration { return cmp.Or(rt.EndTimeout, 30*time.Second) }

func (rt *Route) String() string { return rt.Target.String() }

// reach dials the target.
func (v *Visit) reach(ctx context.Context) error {
	began := time.Now()
	up, err := v.request.Dial(ctx)
	v.dial = time.Since(began)
	if err != nil {
		return err
	}
	if up.Subprotocol == "" && v.route.StrictSubprotocol && len(v.request.Subprotocols) > 0 {
		up.Conn.Close()
		return errNoSubprotocol
	}
	v.chosen = up.Subprotocol
	o := message.Options{FromServer: true, Early: up.Early, MaxBytes: v.route.MaxBytes}
	if v.route.PassControl {
		o.Control = v.toClientControl
	}
	v.target = message.New(up.Conn, o)
	return nil
}

var errNoSubprotocol = errors.New("target chose none of the offered subprotocols")
