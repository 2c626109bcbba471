// Package admin is the administrator's side of a bridge, for a listener of its
// own: metrics, health, the live sessions and an end for each, profiles, and
// the status page. It listens on loopback or a unix socket; anywhere else it
// needs a token.
package admin

import (
	"cmp"
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/wsbridge/wsbridge/web/pages"
)

// Bridge is what an administrator sees of a bridge. It is asked from several
// goroutines at a time, and answers without waiting for any peer.
type Bridge interface {
	// Sessions are those that live now, in any order. The caller may keep and
	// change what it gets.
	Sessions() []Session
	// Kill ends a session well: its client is told 1001, "ended by the
	// administrator". False: there is none of that id.
	Kill(id string) bool
	// Totals is what there has been; nothing in it ever falls.
	Totals() Totals
	// Draining says that no new session is accepted any more.
	Draining() bool
	// Shedding is what is done for want of memory: 0 nothing, 1 no new session is
	// accepted for now, 2 idle ones are closed, too.
	Shedding() int
}

// Session is one client joined to one target.
type Session struct {
	ID          string // for Kill
	Client      string // address
	User        string // "": not known
	Target      string
	Path        string // without secrets
	Subprotocol string // "": none
	HTTP        int    // version; from 2 on, sessions of one connection have one client address
	Start       time.Time
	ToTarget    int64         // payload bytes
	ToClient    int64         // payload bytes
	RTT         time.Duration // to the client and back; 0: not known
}

// Totals counts since the start.
type Totals struct {
	Sessions int64            // that were begun
	ToTarget int64            // payload bytes, those of live sessions too
	ToClient int64            // payload bytes, those of live sessions too
	Refused  map[string]int64 // by reason
	Closed   map[CloseKey]int64
}

// CloseKey is how sessions ended.
type CloseKey struct {
	Code int    // RFC 6455, section 7.4; 0: a Close frame without one
	By   string // who ended it: client, target or bridge
}

// Admin is the administrator's side. Set the fields before anything is called,
// and leave them alone after it.
type Admin struct {
	Bridge  Bridge
	Version string
	// Token has to be shown for everything but health. "": nobody is asked,
	// and Serve takes loopback and unix sockets only. SetToken changes it later.
	Token string
	// Names are host names that it is called by besides localhost: those of a
	// proxy in front. They matter where there is no token.
	Names []string
	// Ready says why the bridge is of no use now, its target being away, say.
	// It is asked at most once a second, and its time is bounded. Nil: it is.
	Ready func(context.Context) error
	// Hubs are the message hubs there are. Nil: none.
	Hubs func() []Hub
	// Recordings are for the replay page; see pages.Options. Nil: none.
	Recordings fs.FS
	// Reload reads the bridge's configuration anew, for POST /reload; the error
	// is for the person who asks. Nil: it cannot.
	Reload func(context.Context) (Reloaded, error)
	// Log is told who ends sessions and that tokens are wrong; nil:
	// slog.Default.
	Log *slog.Logger

	once      sync.Once
	token     atomic.Pointer[string]
	started   time.Time
	dial      prometheus.Histogram
	handshake *prometheus.HistogramVec
	reasons   reasons
	registry  *prometheus.Registry
	health    health
	latest    latest
	warn      rate.Sometimes // of strangers, who else could fill the log
}

// start makes what all requests share.
func (a *Admin) start() {
	a.started = time.Now()
	a.token.CompareAndSwap(nil, &a.Token)
	a.dial, a.handshake = newDial(), newHandshake()
	a.registry = a.newRegistry()
	a.warn = rate.Sometimes{Interval: time.Second}
}

// Handler serves it all. Serve has the deadlines that go with it.
func (a *Admin) Handler() http.Handler {
	a.once.Do(a.start)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metrics())
	mux.HandleFunc("GET "+livePath, a.live)
	mux.HandleFunc("GET "+readyPath, a.ready)
	mux.HandleFunc("GET /sessions", a.sessions)
	mux.HandleFunc("POST "+loginPath, a.login)
	mux.HandleFunc("POST /reload", a.reload)
	mux.Handle("GET /debug/pprof/", profiles())
	mux.Handle("/", pages.New(pages.Options{Feed: feed{a}, Recordings: a.Recordings}))
	return a.guarded(mux)
}

func (a *Admin) log() *slog.Logger { return cmp.Or(a.Log, slog.Default()) }
