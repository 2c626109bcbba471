//go:build linux

package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// A kind is what is between client and target; kinds can be joined.
type kind uint8

const (
	overTCP kind = 1 << iota
	overUnix
	overTLS // from the client, and to the target
	wrapped // a program
	gateways
	hubs
	streams = overTCP | overUnix | overTLS | wrapped
)

// places are where sessions end.
var places = []place{
	{"TCP", overTCP, nil},
	{"TCP by goroutines", overTCP, []string{"--pump", "goroutines"}},
	{"unix", overUnix, nil},
	{"unix by goroutines", overUnix, []string{"--pump", "goroutines"}},
	{"TLS", overTLS, nil},
	{"wrapped program", wrapped, nil},
	{"gateway", gateways, nil},
	{"hub", hubs, nil},
}

type place struct {
	name    string
	kind    kind
	options []string
}

// A ground is a bridge between clients and far ends.
type ground struct {
	*process
	place   place
	mark    string
	far     *output // what the far ends say
	admin   http.Client
	dial    func() (net.Conn, error)
	before  inside
	program int // the wrapped one's process
	names   atomic.Int32
}

// open starts a bridge and lets it have what a first session brings about.
func (p place) open(t *testing.T, options ...string) *ground {
	t.Helper()
	dir := t.TempDir()
	b := &ground{place: p, mark: dir, far: &output{changed: make(chan struct{})}}
	b.admin.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "admin"))
	}}
	args := slices.Concat([]string{"--end-timeout", "120", "--admin", "unix:" + filepath.Join(dir, "admin")}, p.options, options)
	b.start(t, dir, args)
	const any = 1 << 20
	b.before = inside{goroutines: any, sockets: any, pipes: any, processes: any}
	b.endings(t, inPeace(p.kind))
	b.before = b.settled(t)
	return b
}

// start starts the bridge, and what is to be behind it.
func (b *ground) start(t *testing.T, dir string, args []string) {
	far, network, address := farEnd{b.far}, "tcp", "127.0.0.1:0"
	env := append(os.Environ(), mark(b.mark))
	switch b.place.kind {
	case overTCP:
		args = append(args, address, b.listen(t, "tcp", address, nil, far.bytes))
	case overUnix:
		network, address = "unix", filepath.Join(dir, "bridge")
		args = append(args, "--unix-listen", address, "--unix-target", b.listen(t, "unix", filepath.Join(dir, "target"), nil, far.bytes))
	case overTLS:
		cert := certify(t, dir, "localhost")
		args = append(append(args, cert.options()...), "--target-ca", cert.cert, address, "tls://"+b.listen(t, "tcp", address, &cert, far.bytes))
	case wrapped:
		address = "127.0.0.1:" + quietPort(t)
		env = append(env, farEndAt+"="+address)
		args = append(args, address, "--", os.Args[0])
	case gateways:
		args = append(args, address, "ws://"+b.listen(t, "tcp", address, nil, far.messages))
	case hubs:
		args = append(args, address, "fme:")
	}
	b.process = start(t, func(c *exec.Cmd) { c.Env = env }, os.Getenv("E2E_WSBRIDGE"), args...)
	t.Cleanup(b.sound)
	b.await("proxying from")
	if b.place.kind == wrapped {
		b.far, b.program = b.out, bridge{process: b.process}.program(1)
	} else if network == "tcp" {
		address = b.await(`Listen on (127\.0\.0\.1:[1-9]\d*)`)[1]
	}
	b.dial = func() (net.Conn, error) { return net.DialTimeout(network, address, patience) }
}

// listen has far ends at an address, which it returns.
func (b *ground) listen(t *testing.T, network, address string, cert *certificate, talk func(net.Conn)) string {
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	if cert != nil {
		pair, err := tls.LoadX509KeyPair(cert.cert, cert.key)
		if err != nil {
			t.Fatal(err)
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	t.Cleanup(func() { l.Close() })
	go acceptAll(l, talk)
	return l.Addr().String()
}

// enter opens a session.
func (b *ground) enter(path string) (*frames, error) {
	conn, err := b.dial()
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	if b.place.kind == overTLS {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	dialer := ws.Dialer{NetDial: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	if _, early, _, err := dialer.Dial(context.Background(), "ws://bridge"+path); err != nil || early != nil {
		conn.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return &frames{conn: conn, client: true}, nil
}

// name is a session's.
func (b *ground) name() string { return fmt.Sprint("session-", b.names.Add(1)) }

// report is what the far end of a session has to say.
func (b *ground) report(t *testing.T, id string) string {
	return b.find(t, b.far, `far end of `+id+`: (.*)`)[1]
}

// logged are the words of a line about an end.
var logged = regexp.MustCompile(`(\w+)=("[^"]*"|\S*)`)

// line is what the log says at the end of a session, by its words.
func (b *ground) line(t *testing.T, path string) map[string]string {
	words := map[string]string{}
	for _, w := range logged.FindAllStringSubmatch(b.find(t, b.out, `msg="session ended".* path=`+path+` .*`)[0], -1) {
		words[w[1]] = strings.Trim(w[2], `"`)
	}
	return words
}

// find waits for pattern in out.
func (b *ground) find(t *testing.T, out *output, pattern string) (found []string) {
	re := regexp.MustCompile(pattern)
	eventually(t, pattern, func() bool {
		found = re.FindStringSubmatch(out.String())
		return found != nil
	})
	return found
}

// inside is what there is in a bridge.
type inside struct{ sessions, goroutines, sockets, pipes, processes int }

// What may be more than before: goroutines of the one who asks, and the pipes that
// a bridge keeps, of two descriptors each.
const (
	moreGoroutines = 2
	morePipes      = 2 * atOnce
)

func (i inside) noMoreThan(before inside) bool {
	return i.sessions == 0 && i.goroutines <= before.goroutines+moreGoroutines && i.sockets <= before.sockets &&
		i.pipes <= before.pipes+morePipes && i.processes <= before.processes
}

// empty waits until there is no more in the bridge than there was before.
func (b *ground) empty(t *testing.T) {
	t.Helper()
	var now inside
	defer func() {
		if t.Failed() {
			t.Logf("in the bridge there is %+v, before there was %+v", now, b.before)
		}
	}()
	eventually(t, "no more in the bridge than before", func() bool {
		now = b.look(t)
		return now.noMoreThan(b.before)
	})
}

// settled is what there is in the bridge when that changes no more.
func (b *ground) settled(t *testing.T) (now inside) {
	t.Helper()
	same := 0
	eventually(t, "nothing changes in the bridge", func() bool {
		last := now
		if now = b.look(t); now != last {
			same = 0
		}
		same++
		return same == 5
	})
	return now
}

func (b *ground) look(t *testing.T) (now inside) {
	for _, name := range descriptors(t, b.cmd.Process.Pid) {
		if strings.HasPrefix(name, "pipe:") {
			now.pipes++
		} else {
			now.sockets++
		}
	}
	now.processes = len(bridge{port: b.mark}.family())
	now.sessions = number(t, "\n"+b.ask(t, "/metrics"), "\nwsbridge_sessions_active ")
	now.goroutines = number(t, b.ask(t, "/debug/pprof/goroutine?debug=1"), "goroutine profile: total ")
	return now
}

// ask fetches a page of the administrator's side.
func (b *ground) ask(t *testing.T, path string) string {
	t.Helper()
	answer, err := b.admin.Get("http://localhost" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// number is the one behind name.
func number(t *testing.T, text, name string) int {
	t.Helper()
	_, rest, _ := strings.Cut(text, name)
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(line)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
