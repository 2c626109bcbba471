package listen

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Sockets are the listening sockets of a process: some it is given at its
// start, by systemd or by the process that it succeeds, others it opens. A
// successor can be given them all. The zero value was given none. It is for one
// goroutine at a time.
type Sockets struct {
	given []Handed // that nobody has taken yet
	open  []openSocket
}

// Handed is a socket on its way from one process to another. All but File can
// be told in JSON.
type Handed struct {
	File *os.File `json:"-"`
	Name string   // what it was opened as
	Made string   `json:",omitempty"` // which file a unix socket made
}

// openSocket is one that is served.
type openSocket struct {
	name     string
	listener net.Listener
}

// systemdPrefix stands before systemd's name of a socket.
const systemdPrefix = "systemd "

// GiveSystemd adds a socket that systemd has opened under a name. It closes f in
// time.
func (s *Sockets) GiveSystemd(name string, f *os.File) {
	s.Give(Handed{Name: systemdPrefix + name, File: f})
}

// Give adds a socket that HandOn gave in another process. It closes the file in
// time.
func (s *Sockets) Give(h Handed) { s.given = append(s.given, h) }

// take is the first given socket of a name, no longer given.
func (s *Sockets) take(name string) (h Handed, ok bool) {
	i := slices.IndexFunc(s.given, func(g Handed) bool { return g.Name == name })
	if i < 0 {
		return Handed{}, false
	}
	h = s.given[i]
	s.given = slices.Delete(s.given, i, i+1)
	return h, true
}

// opened notes a listener, unless there is none.
func (s *Sockets) opened(name string, l net.Listener, err error) (net.Listener, error) {
	if err != nil {
		return nil, err
	}
	s.open = append(s.open, openSocket{name, l})
	return l, nil
}

// TCP is a.Listen, or what was given that was opened so.
func (s *Sockets) TCP(ctx context.Context, a Address) (net.Listener, error) {
	name := "tcp " + a.String()
	if a.PreferIPv6 && a.isName() {
		name = "tcp6 " + a.String()
	}
	if h, ok := s.take(name); ok {
		l, err := adoptListener(h.File)
		return s.opened(name, l, a.plain(err))
	}
	l, err := a.Listen(ctx)
	return s.opened(name, l, err)
}

// Unix is u.Listen, or what was given that was opened so. Until Own is called,
// that leaves its path in place when it is closed.
func (s *Sockets) Unix(ctx context.Context, u Unix) (net.Listener, error) {
	name := u.String()
	if path, err := filepath.Abs(u.Path); err == nil {
		name = Unix{Path: path}.String()
	}
	if h, ok := s.take(name); ok {
		if l := u.succeed(h); l != nil {
			return s.opened(name, l, nil)
		}
	}
	l, err := u.Listen(ctx)
	return s.opened(name, l, err)
}

// SystemdNames are those of systemd's sockets that nobody has taken.
func (s *Sockets) SystemdNames() (names []string) {
	for _, g := range s.given {
		if name, ok := strings.CutPrefix(g.Name, systemdPrefix); ok {
			names = append(names, name)
		}
	}
	return names
}

// Systemd is systemd's sockets of a name; with "" it is all that nobody has
// taken, but for those named as one of except. Paths stay when they are closed.
// That there are none is no error.
func (s *Sockets) Systemd(name string, except ...string) (all []net.Listener, err error) {
	for _, n := range s.SystemdNames() {
		if name != n && (name != "" || slices.Contains(except, n)) {
			continue
		}
		h, _ := s.take(systemdPrefix + n)
		l, err := adoptListener(h.File)
		if l, err = s.opened(h.Name, l, err); err != nil {
			return nil, &plainError{"systemd's socket " + n + " " + err.Error(), err}
		}
		all = append(all, l)
	}
	return all, nil
}

// CloseRest closes the given sockets that nobody has taken. It returns the names
// of those of systemd, where clients can knock and nobody will ever open.
func (s *Sockets) CloseRest() (names []string) {
	names = s.SystemdNames()
	for _, g := range s.given {
		g.File.Close()
	}
	s.given = nil
	return names
}

// Own is for a successor when its predecessor serves no more: from now on
// closing removes the paths of unix sockets that one of us has made.
func (s *Sockets) Own() { s.keepPaths(false) }

// Leave is for a predecessor when its successor serves: closing leaves the paths
// of unix sockets alone.
func (s *Sockets) Leave() { s.keepPaths(true) }

func (s *Sockets) keepPaths(keep bool) {
	for _, o := range s.open {
		if u, ok := o.listener.(*unixListener); ok {
			u.kept.Store(keep)
		}
	}
}

// HandOn is every socket that was opened, for a process about to be started. The
// caller closes the files.
func (s *Sockets) HandOn() (all []Handed, err error) {
	for _, o := range s.open {
		h, err := handOn(o)
		if err != nil {
			for _, h := range all {
				h.File.Close()
			}
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}
