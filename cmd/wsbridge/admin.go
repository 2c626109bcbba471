package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/wsbridge/wsbridge/admin"
	"github.com/wsbridge/wsbridge/bridge"
	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/listen"
)

// openAdmin opens the administrator's side, if there is to be one.
func (s *service) openAdmin(ctx context.Context) (err error) {
	c := s.config
	if c.Admin == "" {
		return nil
	}
	a := &admin.Admin{Bridge: adminBridge{s.server}, Version: buildVersion(), Names: c.AdminNames, Log: s.log}
	if len(s.hubs.all()) > 0 {
		a.Hubs = s.hubNumbers
	}
	if a.Token, err = firstLine(c.AdminTokenFile); err != nil {
		return fmt.Errorf("--admin-token-file: %w", err)
	}
	l, err := s.openAdminListener(ctx, c.Admin)
	if err != nil {
		return err
	}
	if err := a.Check(l.Addr()); err != nil {
		l.Close()
		return &config.UsageError{Msg: "--admin: " + err.Error(), Hint: "name a file with a token by --admin-token-file"}
	}
	if a.Token != "" || l.Addr().Network() == "unix" {
		a.Recordings = recordingsOf(c)
	}
	a.Reload = s.reloadForAdmin
	if c.ReadyDial {
		a.Ready = s.reachable
	}
	s.admin, s.adminListener = a, l
	s.server.Dialled, s.server.Greeted = a.ObserveDial, a.ObserveHandshake
	s.summary.admin = l.Addr().String()
	return nil
}

func (s *service) reloadForAdmin(ctx context.Context) (admin.Reloaded, error) {
	r, err := s.reload(ctx)
	if err != nil {
		return admin.Reloaded{}, errors.New(oneLine(err))
	}
	return admin.Reloaded{Sessions: r.Sessions, Refused: r.Refused, Kept: r.Kept}, nil
}

// reachable tells of a target that cannot be reached, of those that are known
// without a client.
func (s *service) reachable(ctx context.Context) error {
	s.reloading.Lock()
	table := s.current.router.table
	s.reloading.Unlock()
	for _, d := range table.All() {
		if d.target == nil {
			continue
		}
		conn, err := d.target.Dial(ctx)
		if err != nil {
			return fmt.Errorf("target %s: %w", d.target, err)
		}
		conn.Close()
	}
	return nil
}

// openAdminListener listens on loopback where only a port is named.
func (s *service) openAdminListener(ctx context.Context, text string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		return s.startup.sockets.Unix(ctx, listen.Unix{Path: path, Mode: 0o600})
	}
	if name, ok := config.SystemdSocket(text); ok {
		return s.openSystemdAdmin(name)
	}
	if !strings.Contains(text, ":") {
		text = "127.0.0.1:" + text
	}
	address, err := listen.Parse(text)
	if err != nil {
		return nil, &config.UsageError{Msg: "--admin: " + err.Error()}
	}
	return s.startup.sockets.TCP(ctx, address)
}

// firstLine of a file; no file, no line.
func firstLine(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	if !lines.Scan() && lines.Err() == nil {
		return "", fmt.Errorf("%s is empty", name)
	}
	return strings.TrimSpace(lines.Text()), lines.Err()
}

// recordingsOf is the recordings that are made; nil: none are. They are for
// their owner alone, so that who sees them has to have shown a token, or to
// reach a socket of the owner's.
func recordingsOf(c *config.Config) fs.FS {
	if c.Record == "" {
		return nil
	}
	dir, base := filepath.Split(c.Record)
	return recordings{os.DirFS(cmp.Or(dir, ".")), base + "."}
}

// recordings is the files of a folder that recordings are, and no other.
type recordings struct {
	folder fs.FS
	prefix string
}

func (r recordings) Open(name string) (fs.File, error) {
	if !r.has(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return r.folder.Open(name)
}

// ReadDir is for the list of them.
func (r recordings) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(r.folder, name)
	return slices.DeleteFunc(all, func(e fs.DirEntry) bool { return !r.has(e.Name()) }), err
}

func (r recordings) has(name string) bool {
	number, ok := strings.CutPrefix(name, r.prefix)
	_, err := strconv.ParseUint(number, 10, 64)
	return ok && err == nil
}

// serveAdmin serves the administrator's side until stop.
func (s *service) serveAdmin() (stop func()) {
	if s.admin == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.admin.Serve(ctx, s.adminListener); err != nil {
			s.log.Error("the administrator's side has ended", "err", err)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// hubNumbers are the hubs in the administrator's words.
func (s *service) hubNumbers() (all []admin.Hub) {
	for name, h := range s.hubs.all() {
		n := h.Stats()
		all = append(all, admin.Hub{
			Name: name, Members: n.Members, Streams: n.Groups, In: n.MessagesIn, Out: n.MessagesOut,
			InBytes: n.BytesIn, OutBytes: n.BytesOut, Dropped: n.Dropped, Slow: n.Slow, Errors: n.Errors,
		})
	}
	return all
}

// adminBridge is the bridge in the administrator's words.
type adminBridge struct{ *bridge.Server }

func (b adminBridge) Sessions() (all []admin.Session) {
	for _, s := range b.Server.Sessions() {
		all = append(all, admin.Session{
			ID: s.ID, Client: s.Client, User: s.User, Target: s.Target, Path: s.Path, Subprotocol: s.Subprotocol, HTTP: s.HTTP,
			Start: s.Start, ToTarget: s.ToTarget, ToClient: s.ToClient, RTT: s.RTT,
		})
	}
	return all
}

func (b adminBridge) Shedding() int { return int(b.Server.Shedding()) }

func (b adminBridge) Totals() admin.Totals {
	s := b.Stats()
	t := admin.Totals{Sessions: s.Begun, ToTarget: s.ToTarget, ToClient: s.ToClient, Refused: map[string]int64{}, Closed: map[admin.CloseKey]int64{}}
	for reason, n := range s.Refused {
		t.Refused[reason] = int64(n)
	}
	for end, n := range s.Ended {
		t.Closed[admin.CloseKey{Code: end.Code, By: end.By}] += n
	}
	return t
}
