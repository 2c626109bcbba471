package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wsbridge/wsbridge/bridge"
	"github.com/wsbridge/wsbridge/systemd"
)

// boss is systemd: it opens sockets for a service, and listens to what that
// says.
type boss struct {
	*testing.T
	address string
	said    chan string
	// environ is for the service, but for the variables with its number.
	environ []string
	files   []*os.File
	ports   map[string]string // by socket's name
}

func newBoss(t *testing.T, sockets ...string) *boss {
	t.Helper()
	b := &boss{T: t, said: make(chan string, 10_000), ports: map[string]string{}}
	name := fmt.Sprintf("@wsbridge-test-%d-%d", os.Getpid(), time.Now().UnixNano())
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	b.address = name
	var listening sync.WaitGroup
	listening.Go(func() { b.listen(notify) })
	t.Cleanup(func() {
		notify.Close()
		listening.Wait()
	})
	for _, name := range sockets {
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		f, err := l.File()
		l.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		b.files = append(b.files, f)
		_, b.ports[name], _ = net.SplitHostPort(l.Addr().String())
	}
	b.environ = []string{"NOTIFY_SOCKET=" + name, fmt.Sprintf("LISTEN_FDS=%d", len(sockets)), "LISTEN_FDNAMES=" + strings.Join(sockets, ":")}
	return b
}

// told is the next notification that is no ping.
func (b *boss) told() string {
	b.Helper()
	for {
		if what := b.hear(); what != "WATCHDOG=1" {
			return what
		}
	}
}

// ping wants one.
func (b *boss) ping() {
	b.Helper()
	if what := b.hear(); what != "WATCHDOG=1" {
		b.Fatalf("systemd is told %q", what)
	}
}

// say is a last word, behind all that has been said.
func (b *boss) say(what string) {
	b.Helper()
	conn, err := net.Dial("unixgram", b.address)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, what)
}

// listen takes notifications in until notify closes, as systemd does: a full
// queue would hold up who tells it something.
func (b *boss) listen(notify net.Conn) {
	buffer := make([]byte, 4096)
	for {
		n, err := notify.Read(buffer)
		if err != nil {
			return
		}
		b.said <- string(buffer[:n])
	}
}

func (b *boss) hear() string {
	b.Helper()
	select {
	case what := <-b.said:
		return what
	case <-time.After(patience):
		b.Fatal("systemd is told nothing")
		return ""
	}
}

// TestUnderSystemd: a service by the book. It serves systemd's sockets, says
// when, pings, hands all of it on to its successor, and says when it stops.
func TestUnderSystemd(t *testing.T) {
	b, d := newBoss(t, "web", "admin", "web2"), newDynasty(t)
	d.files = b.files
	d.start(append(b.environ, "WATCHDOG_USEC=200000"), "--drain-timeout", "1", "--admin", "systemd:admin", "systemd", occupied(t))
	first, successor := d.first.Process.Pid, 0
	for generation := range 2 {
		if got := b.told(); !strings.HasPrefix(got, "READY=1\nSTATUS=proxying from 127.0.0.1:"+b.ports["web"]+", 127.0.0.1:"+b.ports["web2"]+" to ") {
			t.Errorf("generation %d says %q", generation, got)
		}
		b.ping()
		b.ping()
		d.resident(b.ports["web"])
		d.resident(b.ports["web2"])
		if status := d.answer("tcp", "127.0.0.1:"+b.ports["admin"]); !strings.HasPrefix(status, "200 ") {
			t.Errorf("the administrator's side answers %s", status)
		}
		if generation == 0 {
			successor = d.succeed(first, 1)
			if got := b.told(); got != fmt.Sprintf("MAINPID=%d", successor) {
				t.Errorf("systemd is told %q of the successor", got)
			}
		}
	}
	d.signal(first, syscall.SIGTERM)
	<-d.ended
	d.signal(successor, syscall.SIGTERM)
	d.gone(successor)
	if got := b.told(); got != "STOPPING=1" {
		t.Errorf("systemd is told %q of the end", got)
	}
	b.say("that is all")
	if got := b.told(); got != "that is all" { // the old one has said nothing of its end
		t.Errorf("systemd is told %q after the end", got)
	}
}

// TestReloadAndStopUnderSystemd: both are told at their beginning, and a reload
// at its end too, whatever came of it.
func TestReloadAndStopUnderSystemd(t *testing.T) {
	b, d := newBoss(t), newDynasty(t)
	d.write("yaml", "heartbeat: 30\n", 0o600)
	d.start(b.environ, "--config", "yaml", "--listen", "127.0.0.1:0", occupied(t))
	wants := func(start string) {
		t.Helper()
		if got := b.told(); !strings.HasPrefix(got, start) {
			t.Errorf("systemd is told %q, want %q", got, start)
		}
	}
	wants("READY=1\n")
	for _, text := range []string{"heartbeat: 20\n", "hartbeat: 20\n"} {
		d.write("yaml", text, 0o600)
		d.signal(d.first.Process.Pid, syscall.SIGHUP)
		wants("RELOADING=1\nMONOTONIC_USEC=")
		wants("READY=1\n")
	}
	d.signal(d.first.Process.Pid, syscall.SIGTERM)
	wants("STOPPING=1")
	<-d.ended
}

// TestSystemdMistakes: each is told, with what to do.
func TestSystemdMistakes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		sockets []string
		args    []string
		want    string
		hint    string
	}{
		{"not by systemd", nil, []string{"systemd"}, "systemd has opened no socket for this process", "systemctl start wsbridge.socket"},
		{"no such name", []string{"a", "b"}, []string{"systemd:c"}, "systemd has opened no socket called c, only a, b", "FileDescriptorName=c"},
		{"all named", []string{"a"}, []string{"systemd", "--admin", "systemd:a"}, "no socket but those that other options name: a", "leave out systemd"},
		{"admin without a name", []string{"a"}, []string{"0", "--admin", "systemd"}, "--admin: systemd alone is every socket", "--admin systemd:NAME"},
		{"admin with two", []string{"a", "a"}, []string{"0", "--admin", "systemd:a"}, "--admin: 2 sockets of systemd are called a", "a unit of its own"},
		{"daemon", []string{"a"}, []string{"-D", "systemd"}, "--daemon and systemd's sockets cannot both be", "leave out one of them"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, d := newBoss(t, tt.sockets...), newDynasty(t)
			d.files = b.files
			d.start(b.environ, append(tt.args, "127.0.0.1:1")...)
			<-d.ended
			if text := d.text(); !strings.Contains(text, "error: ") || !strings.Contains(text, tt.want) || !strings.Contains(text, "hint: ") || !strings.Contains(text, tt.hint) {
				t.Errorf("said %q, want %q and %q", text, tt.want, tt.hint)
			}
			if d.first.ProcessState.ExitCode() == 0 {
				t.Error("exit status 0")
			}
		})
	}
}

// TestSystemdLeftOver: a socket that no option names is where clients would wait
// for nobody; the log says so.
func TestSystemdLeftOver(t *testing.T) {
	b, d := newBoss(t, "a", "b"), newDynasty(t)
	d.files = b.files
	d.start(b.environ, "systemd:a", occupied(t))
	b.told()
	d.said(`nobody answers there" name=(b)\n`, 1)
	d.resident(b.ports["a"])
}

// TestWatchdogOfAHang: while the bridge hangs systemd is not told that it lives,
// and the log says so.
func TestWatchdogOfAHang(t *testing.T) {
	b := newBoss(t)
	manager, err := systemd.Meet(b.environ)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := &service{startup: &startup{manager: manager}, server: hung(t), log: slog.New(slog.NewTextHandler(&log, nil))}
	s.pulse(t.Context(), time.Millisecond)
	if text := log.String(); !strings.Contains(text, "systemd's watchdog is not told that all is well") || !strings.Contains(text, "an event loop hangs") {
		t.Errorf("the log says %q", text)
	}
	b.say("that is all")
	if got := b.hear(); got != "that is all" {
		t.Errorf("systemd is told %q", got)
	}
}

// hung is a bridge one of whose loops has a visitor that it does not get done
// with before the test's end.
func hung(t *testing.T) *bridge.Server {
	entered, stuck := make(chan struct{}), make(chan struct{})
	server := &bridge.Server{
		Rules: bridge.Rules{
			QuickRoute: true,
			Route: func(*http.Request) (bridge.Route, error) {
				close(entered)
				<-stuck
				return bridge.Route{}, &bridge.Refusal{Status: http.StatusNotFound, Reason: "nothing"}
			},
		},
		Log: slog.New(slog.DiscardHandler),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(stuck)
		conn.Close()
		server.Shutdown(context.Background())
		<-served
	})
	io.WriteString(conn, upgradeRequest)
	<-entered
	return server
}
