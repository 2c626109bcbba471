// Package passthrough hands a WebSocket upgrade as it came to a target that
// does its own handshake, and joins the two connections behind the 101. Frames
// mean nothing here: what either side sends reaches the other byte for byte.
package passthrough

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wsbridge/wsbridge/target"
)

const (
	dialTimeout = 5 * time.Second
	headTimeout = 30 * time.Second
)

// Target is a WebSocket server. Set the fields before the first Relay and leave
// them alone after it; Relay may be called from any number of goroutines.
type Target struct {
	Network string // "tcp" or "unix"
	Address string // host:port, or the path of the socket

	// TLS, when set, is spoken to the target. Without a ServerName in it the
	// host of Address is meant. See target.TLSOptions.
	TLS *tls.Config
	// AllowCN takes the common name of a certificate for its name when it has
	// no subject alternative names, as was usual long ago (RFC 6125, 6.4.4).
	AllowCN bool

	Base       string // put in front of the request's path: "/base", or ""
	HostTarget bool   // name the target in the Host header instead of what the client named
	Forwarded  bool   // add X-Forwarded-For, -Host and -Proto

	Idle        time.Duration // silence both ways that ends a connection; 0: none does
	DialTimeout time.Duration // for connection and TLS handshake; default 5 s
	HeadTimeout time.Duration // for the target's answer to the handshake; default 30 s

	RefusedStatus int          // told to the client when nobody listens; default 502
	Log           *slog.Logger // nil: slog.Default()

	warned  atomic.Bool // of a wrong Sec-WebSocket-Accept
	pipes   pipes
	buffers sync.Pool // of *buffer
}

// Outcome is what became of an upgrade.
type Outcome struct {
	Status     int           // HTTP status told to the client; 0: it left before any
	ToTarget   int64         // bytes carried to the target behind the handshake
	ToClient   int64         // bytes carried to the client behind the 101
	Dial       time.Duration // until the target was connected, TLS and all
	By, Reason string        // who ended it, "client", "target" or "bridge", and why
}

// Relay has the target answer the upgrade r, which is forwarded with every
// header value, RequestURI and all, and carries the connection until both sides
// have ended. A target that cannot answer is an HTTP refusal that says why.
// Relay closes whatever it opened or took over; when r's context ends, both
// sides are closed at once. A context that ends because the bridge goes down
// says so by a cause of its own (context.WithCancelCause); else the client is
// believed to have left.
func (t *Target) Relay(w http.ResponseWriter, r *http.Request) Outcome {
	x := &exchange{to: t, r: r, client: &answerWriter{ResponseWriter: w, control: http.NewResponseController(w)}}
	x.client.takeOver = x.takeOver
	defer x.close()
	if r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
		x.refuse(&failure{status: http.StatusBadRequest, by: "client", reason: "a WebSocket upgrade must not carry a body"})
		return x.outcome
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:        asUpgrade,
		Transport:      x,
		ModifyResponse: x.unchanged,
		ErrorHandler:   func(_ http.ResponseWriter, _ *http.Request, err error) { x.refuse(err) },
		ErrorLog:       slog.NewLogLogger(t.log().Handler(), slog.LevelDebug),
	}
	// Without an end of its context the proxy closes nothing on its own: who
	// ended a connection, and why, is then known here.
	x.serve(proxy, r.WithContext(context.WithoutCancel(r.Context())))
	return x.ended()
}

// asUpgrade leaves in the proxy's own request all it looks at; what is sent is
// the client's.
func asUpgrade(p *httputil.ProxyRequest) {
	p.Out.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}
}

// String is the target as Parse reads it.
func (t *Target) String() string {
	switch {
	case t.Network == "unix":
		return unixPrefix + t.Address
	case t.TLS != nil:
		return tlsPrefix + t.Address + t.Base
	}
	return plainPrefix + t.Address + t.Base
}

// dial connects, and speaks TLS where it is wanted.
func (t *Target) dial(ctx context.Context) (net.Conn, error) {
	timeout := cmp.Or(t.DialTimeout, dialTimeout)
	var to target.Target = target.TCP{Address: t.Address, Timeout: timeout}
	if t.Network == "unix" {
		to = target.Unix{Path: t.Address, Timeout: timeout}
	}
	if t.TLS != nil {
		to = target.TLS{Over: to, Config: t.tlsConfig(), Timeout: timeout}
	}
	return to.Dial(ctx)
}

// host is the target's name in a Host header.
func (t *Target) host() string {
	if t.Network == "unix" {
		return "localhost"
	}
	return t.Address
}

func (t *Target) headTimeout() time.Duration { return cmp.Or(t.HeadTimeout, headTimeout) }

func (t *Target) log() *slog.Logger {
	if t.Log != nil {
		return t.Log
	}
	return slog.Default()
}
