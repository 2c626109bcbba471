package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/hub/fme"
	"github.com/wsbridge/wsbridge/hub/fme/console"
	"github.com/wsbridge/wsbridge/hub/nats"
	"github.com/wsbridge/wsbridge/message"
)

// openHub makes d the hub of that name, which all routes to it share.
func (s *service) openHub(d *destination, name string) error {
	h, err := s.hub(name)
	if err != nil {
		return err
	}
	d.service, d.plain = hubService{h}, h
	return nil
}

func (s *service) hub(name string) (*fme.Service, error) {
	if h := s.hubs[name]; h != nil {
		return h, nil
	}
	groups, err := s.newHub(name)
	if err != nil {
		return nil, err
	}
	options := s.hubOptions()
	if options.Permits, err = hubPermits(s.config.HubPermits); err != nil {
		groups.Close()
		return nil, err
	}
	h := &fme.Service{Name: name, Hub: groups, Options: options}
	if err := h.Check(); err != nil {
		groups.Close()
		return nil, err
	}
	s.hubs[name] = h
	return h, nil
}

// console is where the page for people is served.
const consolePath = "/fme"

// withConsole serves the hubs' console beside the pages, if there is a hub.
func (s *service) withConsole(pages http.Handler) http.Handler {
	path := s.hubPath()
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
func (s *service) hubPath() string {
	for _, d := range s.router.table.All() {
		if _, ok := d.service.(hubService); ok {
			return "../" + strings.Trim(strings.TrimPrefix(d.path, "*"), "/")
		}
	}
	return ""
}

// broadcastHub is that of the gateway routes' groups, over all machines.
func (s *service) broadcastHub() (h *hub.Hub, err error) {
	if s.broadcasts == nil {
		s.broadcasts, err = s.newHub("broadcast")
	}
	return s.broadcasts, err
}

// newHub starts a hub, with the other machines if there are any.
func (s *service) newHub(name string) (*hub.Hub, error) {
	slow := map[string]hub.Slow{"disconnect": hub.Disconnect, "drop-oldest": hub.DropOldest, "drop-newest": hub.DropNewest}
	h := &hub.Hub{Queue: hub.Queue{Slow: slow[s.config.HubSlow]}, Log: s.log}
	if url := s.config.HubEngine; url != "" {
		if !strings.HasPrefix(url, "nats://") && !strings.HasPrefix(url, "tls://") {
			return nil, fmt.Errorf("--hub-engine: %q is no engine: write nats://host:4222", url)
		}
		h.Engine = &nats.Engine{URL: url, Hub: name, Log: s.log}
	}
	if err := h.Start(); err != nil {
		return nil, fmt.Errorf("--hub-engine: %w", err)
	}
	s.closers = append(s.closers, h.Close)
	return h, nil
}

func (s *service) hubOptions() fme.Options {
	c := s.config
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
func (s *service) hubSink(hubName, stream string) (func([]byte) error, error) {
	h, err := s.hub(hubName)
	if err != nil {
		return nil, err
	}
	member, err := h.Hub.Join("", "")
	if err != nil {
		return nil, err
	}
	member.Attach(deaf{})
	s.closers = append(s.closers, member.Leave)
	return func(record []byte) error {
		return member.Send(message.Message{Text: true, Data: record}, false, stream)
	}, nil
}

// deaf is a member that is sent nothing.
type deaf struct{}

func (deaf) WriteFrames([]byte, int, int) error { return nil }
func (deaf) Flush() error                       { return nil }

func (deaf) TryFrames([]byte, int, int) (message.Progress, error) { return message.Sent, nil }
func (deaf) GiveUp(error, time.Time)            {}
