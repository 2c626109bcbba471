package main

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/hub/fme"
	"github.com/wsbridge/wsbridge/hub/fme/console"
	"github.com/wsbridge/wsbridge/hub/nats"
	"github.com/wsbridge/wsbridge/message"
)

// openHub makes d the hub of that name, which all routes to it share.
func (g *generation) openHub(d *destination, name string) error {
	h, err := g.hub(name)
	if err != nil {
		return err
	}
	d.service, d.plain = hubService{h}, h
	return nil
}

// hub is the service of that name as this generation has it.
func (g *generation) hub(name string) (h *fme.Service, err error) {
	if h := g.services[name]; h != nil {
		return h, nil
	}
	options := g.hubOptions()
	if options.Permits, err = hubPermits(g.config.HubPermits); err != nil {
		return nil, err
	}
	if h, err = g.hubs.service(g.config, name, options); err == nil {
		g.services[name] = h
	}
	return h, err
}

// console is where the page for people is served.
const consolePath = "/fme"

// withConsole serves the hubs' console beside the pages, if there is a hub.
func (g *generation) withConsole(pages http.Handler) http.Handler {
	path := g.hubPath()
	if path == "" {
		return pages
	}
	page := http.StripPrefix(consolePath, console.Handler(path))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == consolePath:
			http.Redirect(w, r, "fme/", http.StatusFound)
		case strings.HasPrefix(r.URL.Path, consolePath+"/"):
			page.ServeHTTP(w, r)
		default:
			pages.ServeHTTP(w, r)
		}
	})
}

// hubPath is where the console finds its hub; "": there is none.
func (g *generation) hubPath() string {
	for _, d := range g.router.table.All() {
		if _, ok := d.service.(hubService); ok {
			return "../" + strings.Trim(strings.TrimPrefix(d.path, "*"), "/")
		}
	}
	return ""
}

// hubs are those of all generations: a reload parts nobody who talks in one.
type hubs struct {
	log *slog.Logger

	mu       sync.Mutex
	groups   map[string]*hub.Hub
	services map[string]*fme.Service // as the last generation has them
}

// broadcasts is the hub of the gateway routes' groups.
const broadcasts = "broadcast"

func (h *hubs) service(c *config.Config, name string, options fme.Options) (*fme.Service, error) {
	groups, err := h.group(c, "fme:"+name)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	next := &fme.Service{Name: name, Hub: groups, Options: options}
	if last := h.services[name]; last != nil {
		next = last.With(options)
	}
	if err := next.Check(); err != nil {
		return nil, err
	}
	h.services[name] = next
	return next, nil
}

// group starts a hub at its first call, with the other machines if there are any.
func (h *hubs) group(c *config.Config, name string) (*hub.Hub, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if there := h.groups[name]; there != nil {
		return there, nil
	}
	slow := map[string]hub.Slow{"disconnect": hub.Disconnect, "drop-oldest": hub.DropOldest, "drop-newest": hub.DropNewest}
	fresh := &hub.Hub{Queue: hub.Queue{Slow: slow[c.HubSlow]}, Log: h.log}
	if url := c.HubEngine; url != "" {
		if !strings.HasPrefix(url, "nats://") && !strings.HasPrefix(url, "tls://") {
			return nil, fmt.Errorf("--hub-engine: %q is no engine: write nats://host:4222", url)
		}
		fresh.Engine = &nats.Engine{URL: url, Hub: strings.TrimPrefix(name, "fme:"), Log: h.log}
	}
	if err := fresh.Start(); err != nil {
		return nil, fmt.Errorf("--hub-engine: %w", err)
	}
	h.groups[name] = fresh
	return fresh, nil
}

func (h *hubs) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, g := range h.groups {
		g.Close()
	}
}

// all is a copy of the services by name.
func (h *hubs) all() map[string]*fme.Service {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.services)
}

func (g *generation) hubOptions() fme.Options {
	c := g.config
	return fme.Options{
		MaxStreams: c.HubMaxStreams, Rate: float64(c.HubRate), Burst: 2 * c.HubRate, IdleUnopened: orUnlimited(c.HubIdle),
		Echo: c.HubEcho, StrictJSON: c.HubStrictJSON, User: userOf, Heartbeat: c.Heartbeat, MaxBytes: c.HubMaxMessage,
		Errors: map[string]fme.Errors{"frame": fme.ErrorFrames, "close": fme.ErrorsClose, "silent": fme.ErrorsSilent}[c.HubErrors],
		Admin: map[string]fme.Admin{
			"loopback": fme.AdminLoopback, "authenticated": fme.AdminAuthenticated, "any": fme.AdminAny, "off": fme.AdminOff,
		}[c.HubAdmin],
	}
}

// hubPermits reads "USER OPEN SEND"; nil where there are none: all may.
func hubPermits(lines []string) (permits map[string]fme.Permit, err error) {
	for _, line := range lines {
		words := strings.Fields(line)
		if len(words) != 3 {
			return nil, fmt.Errorf("--hub-permit %q: write a user, what may be opened and what may be sent to: 'ann maps,cars-* maps'", line)
		}
		user := words[0]
		if user == "-" {
			user = ""
		}
		if permits == nil {
			permits = map[string]fme.Permit{}
		}
		p := permits[user]
		p.Open = append(p.Open, strings.Split(words[1], ",")...)
		p.Send = append(p.Send, strings.Split(words[2], ",")...)
		permits[user] = p
	}
	return permits, nil
}

// hubSink sends records to the stream of that name.
func (g *generation) hubSink(hubName, stream string) (func([]byte) error, error) {
	h, err := g.hub(hubName)
	if err != nil {
		return nil, err
	}
	member, err := h.Hub.Join("", "")
	if err != nil {
		return nil, err
	}
	member.Attach(deaf{})
	g.closers = append(g.closers, member.Leave)
	return func(record []byte) error {
		return member.Send(message.Message{Text: true, Data: record}, false, stream)
	}, nil
}

// deaf is a member that is sent nothing.
type deaf struct{}

func (deaf) WriteFrames([]byte, int, int) error { return nil }
func (deaf) Flush() error                       { return nil }

func (deaf) TryFrames([]byte, int, int) (message.Progress, error) { return message.Sent, nil }
func (deaf) GiveUp(error, time.Time)                              {}
