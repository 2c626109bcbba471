// Package fme is a message hub with the protocol of FME Flow's WebSocket
// server: clients open streams by name, and what one of them sends to its
// streams the others receive. FME's own workspaces, triggers, actions and
// pages are clients of it as they are.
package fme

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/message"
)

// Service is one hub. Set the fields before the first Admit.
type Service struct {
	Name string   // for people; may be empty
	Hub  *hub.Hub // whose groups are the streams; the caller starts and closes it
	Options

	errors *errorCounts // nil before the first
	once   sync.Once
}

// With is the same hub, with the same counts, for clients that come under other
// options.
func (s *Service) With(o Options) *Service {
	return &Service{Name: s.Name, Hub: s.Hub, Options: o, errors: s.counted()}
}

func (s *Service) counted() *errorCounts {
	s.once.Do(func() {
		if s.errors == nil {
			s.errors = &errorCounts{}
		}
	})
	return s.errors
}

// Options is how a hub behaves. The zero value is the default.
type Options struct {
	Echo        bool   // a sender receives its own messages
	CloseSocket bool   // the operation close, without streams, closes the connection (1000)
	StrictJSON  bool   // nothing but JSON is taken
	Errors      Errors // how a client is told what it did wrong
	Admin       Admin  // who may ask for the table of channels
	// User is who a client has shown to be; "": nobody. nil: nobody is anybody.
	User func(*http.Request) string
	// Permits are the streams of each user. "*" is that of users without one
	// of their own, "" that of nobody. nil: all streams are open to everybody;
	// otherwise who has no permit has no stream.
	Permits map[string]Permit
	// Subprotocols are those that may be answered to a client that offers them.
	Subprotocols []string

	MaxBytes   int     // of one message; default 1 MiB, or what the engine carries
	MaxStreams int     // of one connection; default 100
	Rate       float64 // messages a second of one connection; default 500; negative: any
	Burst      int     // above Rate; default 1000
	// IdleUnopened is how long a connection may have no stream open; default 60 s.
	IdleUnopened time.Duration
	// Heartbeat: a client silent for two pings, and a third time this long, is
	// gone; default 20 s, so that the dead are found within 60 s.
	Heartbeat time.Duration
}

// Errors is how a client is told what it did wrong.
type Errors uint8

const (
	ErrorFrames  Errors = iota // by a message: {"ws_op":"error",...}
	ErrorsClose                // by the end of the connection, 1008 and the code
	ErrorsSilent               // not at all
)

// Admin is who may ask for the table of channels, which has addresses in it.
type Admin uint8

const (
	AdminLoopback      Admin = iota // clients on this machine
	AdminAuthenticated              // those whom Options.User names
	AdminAny
	AdminOff
)

const (
	defaultMaxBytes     = 1 << 20
	defaultMaxStreams   = 100
	defaultRate         = 500
	defaultBurst        = 1000
	defaultIdleUnopened = 60 * time.Second
	defaultHeartbeat    = 20 * time.Second
	writeTimeout        = 30 * time.Second

	// envelopeRoom is what an engine's message needs besides ours.
	envelopeRoom = 4 << 10
)

// Check says why the options cannot be had. The hub is to be started before.
func (s *Service) Check() error {
	limit := s.engineBytes()
	if limit > 0 && s.MaxBytes > limit {
		return fmt.Errorf("hub messages of %d bytes: the engine carries %d at most: lower the limit or raise the engine's", s.MaxBytes, limit)
	}
	return nil
}

// engineBytes is the largest message the engine carries; 0: any, or not known.
func (s *Service) engineBytes() int {
	if s.Hub.Engine == nil {
		return 0
	}
	return max(0, s.Hub.Engine.MaxBytes()-envelopeRoom)
}

func (s *Service) maxBytes() int {
	size := cmp.Or(s.MaxBytes, defaultMaxBytes)
	if limit := s.engineBytes(); limit > 0 {
		size = min(size, limit)
	}
	return size
}

// Admit takes a place for the client that asks for a WebSocket by r. The error
// is hub.ErrFull. The Visit is to be served or left.
func (s *Service) Admit(r *http.Request) (*Visit, error) {
	host, port, _ := net.SplitHostPort(r.RemoteAddr) // a unix socket's has neither
	member, err := s.Hub.Join(host, port)
	if err != nil {
		return nil, err
	}
	v := &Visit{service: s, member: member, host: host, subprotocol: choose(r.Header, s.Subprotocols)}
	if s.User != nil {
		v.user = s.User(r)
	}
	return v, nil
}

// choose is the first of the client's subprotocols that is known.
func choose(h http.Header, known []string) string {
	for _, line := range h.Values("Sec-WebSocket-Protocol") {
		for offered := range strings.SplitSeq(line, ",") {
			if offered = strings.TrimSpace(offered); slices.Contains(known, offered) {
				return offered
			}
		}
	}
	return ""
}

// ServeHTTP answers plain requests: health probes ask for / and want no error;
// elsewhere there is nothing but the WebSocket.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.URL.Path != "/" {
		w.WriteHeader(http.StatusBadRequest)
	}
	io.WriteString(w, "This is a message hub: connect to it by WebSocket.\n")
}

// String is the target's name in the log.
func (s *Service) String() string { return "fme:" + s.Name }

// Visit is one client, from its admission to its end.
type Visit struct {
	service     *Service
	member      *hub.Member
	host, user  string
	subprotocol string
}

// Ending is how a visit ended.
type Ending struct {
	By     string // "client" or "bridge"
	Code   int    // for the Close frame; 1006: there is nobody left to send it to
	Reason string
}

// Subprotocol is the one to answer; "": none.
func (v *Visit) Subprotocol() string { return v.subprotocol }

// Options is how the client is to be carried.
func (v *Visit) Options() message.Options {
	return message.Options{
		MaxBytes:     v.service.maxBytes(),
		WriteTimeout: writeTimeout,
		Heartbeat:    cmp.Or(v.service.Heartbeat, defaultHeartbeat),
	}
}

// Leave gives the place back of a client that left during the handshake.
func (v *Visit) Leave() { v.member.Leave() }

// String is the target's name in the log.
func (v *Visit) String() string { return v.service.String() }

// Stats is what a service has and did since its start.
type Stats struct {
	hub.Stats
	Errors map[string]int64 // by code
}

// Stats may be called at any time.
func (s *Service) Stats() Stats { return Stats{s.Hub.Stats(), s.counted().snapshot()} }

// errorCounts counts errors by their code, of which there are few.
type errorCounts struct {
	mu sync.Mutex
	n  map[string]int64
}

func (c *errorCounts) add(code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int64{}
	}
	c.n[code]++
}

func (c *errorCounts) snapshot() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]int64{}
	for code, n := range c.n {
		all[code] = n
	}
	return all
}
