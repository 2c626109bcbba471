//go:build unix

package listen

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"
)

// heirOf is what a successor is given of all that first has open.
func heirOf(t *testing.T, first *Sockets) *Sockets {
	t.Helper()
	all, err := first.HandOn()
	check(t, err)
	heir := new(Sockets)
	for _, h := range all {
		heir.Give(h)
	}
	t.Cleanup(func() { heir.CloseRest() })
	return heir
}

// closing is l, which is closed at the test's end.
func closing(t *testing.T, l net.Listener, err error) net.Listener {
	t.Helper()
	check(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// A successor that asks for what its predecessor listens on gets that very
// socket, on the port that the system picked then, too; what it does not ask for
// is closed.
func TestSuccessorTakesWhatItAsksFor(t *testing.T) {
	var first Sockets
	address := Address{Host: "127.0.0.1"}
	l, err := first.TCP(t.Context(), address)
	one := closing(t, l, err)
	l, err = first.TCP(t.Context(), address)
	two := closing(t, l, err)
	dropped, err := first.TCP(t.Context(), Address{Host: "127.0.0.2"})
	closing(t, dropped, err)

	heir := heirOf(t, &first)
	for _, want := range []net.Listener{one, two} {
		l, err := heir.TCP(t.Context(), address)
		got := closing(t, l, err)
		if got.Addr().String() != want.Addr().String() {
			t.Errorf("the successor listens on %v, want %v", got.Addr(), want.Addr())
		}
	}
	l, err = heir.TCP(t.Context(), address)
	if third := closing(t, l, err); slices.Contains([]string{one.Addr().String(), two.Addr().String()}, third.Addr().String()) {
		t.Errorf("a socket was given twice: %v", third.Addr())
	}
	dropped.Close()
	if names := heir.CloseRest(); len(names) != 0 {
		t.Errorf("said to be systemd's: %q", names)
	}
	if c, err := net.Dial("tcp", dropped.Addr().String()); err == nil {
		c.Close()
		t.Error("a socket that nobody serves is open")
	}
}

// Connections that nobody has accepted yet are the successor's.
func TestSuccessorGetsTheQueue(t *testing.T) {
	var first Sockets
	l, err := first.TCP(t.Context(), Address{Host: "127.0.0.1"})
	before := closing(t, l, err)
	client, err := net.Dial("tcp", before.Addr().String())
	check(t, err)
	defer client.Close()
	heir := heirOf(t, &first)
	l, err = heir.TCP(t.Context(), Address{Host: "127.0.0.1"})
	after := closing(t, l, err)
	before.Close()
	conn, err := after.Accept()
	check(t, err)
	defer conn.Close()
	if conn.RemoteAddr().String() != client.LocalAddr().String() {
		t.Errorf("accepted %v, want %v", conn.RemoteAddr(), client.LocalAddr())
	}
	if _, ok := after.(interface{ TCP() *net.TCPListener }); !ok {
		t.Errorf("a %T hides from event loops what it is", after)
	}
}

// The path of a unix socket is there all the time, and goes with the last one.
func TestSuccessorOfAUnixSocket(t *testing.T) {
	u := Unix{Path: newDir(t).path("s")}
	var first Sockets
	l, err := first.Unix(t.Context(), u)
	before := closing(t, l, err)
	heir := heirOf(t, &first)
	u.Mode = 0o660 // by a new configuration
	l, err = heir.Unix(t.Context(), u)
	after := closing(t, l, err)
	if info, err := os.Stat(u.Path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	first.Leave()
	before.Close()
	heir.Own()
	reach(t, after, u.Path)
	after.Close()
	if !missing(u.Path) {
		t.Error("the path is left behind")
	}
}

// A successor that gives up leaves the path to its predecessor.
func TestSuccessorOfAUnixSocketGivesUp(t *testing.T) {
	u := Unix{Path: newDir(t).path("s")}
	var first Sockets
	l, err := first.Unix(t.Context(), u)
	before := closing(t, l, err)
	heir := heirOf(t, &first)
	l, err = heir.Unix(t.Context(), u)
	closing(t, l, err).Close()
	reach(t, before, u.Path)
	before.Close()
	if !missing(u.Path) {
		t.Error("the path is left behind")
	}
}

// Where somebody has removed the path meanwhile, nobody can find the old socket,
// and there is a new one.
func TestSuccessorOfALostPath(t *testing.T) {
	u := Unix{Path: newDir(t).path("s")}
	var first Sockets
	l, err := first.Unix(t.Context(), u)
	closing(t, l, err)
	check(t, os.Remove(u.Path))
	heir := heirOf(t, &first)
	l, err = heir.Unix(t.Context(), u)
	reach(t, closing(t, l, err), u.Path)
}

// systemd's sockets are taken by name, or all that nobody names.
func TestSystemdSockets(t *testing.T) {
	var s Sockets
	var want []string
	for _, name := range []string{"web", "admin", "web", "other"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(t, err)
		defer l.Close()
		want = append(want, name+" "+l.Addr().String())
		s.GiveSystemd(name, fileOf(t, l))
	}
	take := func(name string, except ...string) (got []string) {
		all, err := s.Systemd(name, except...)
		check(t, err)
		for _, l := range all {
			closing(t, l, nil)
			got = append(got, l.Addr().String())
		}
		return got
	}
	addresses := func(lines ...string) (out []string) {
		for _, line := range lines {
			_, address, _ := strings.Cut(line, " ")
			out = append(out, address)
		}
		return out
	}
	if got := take("none"); got != nil {
		t.Errorf("none: %q", got)
	}
	if got := take("", "admin", "other"); !slices.Equal(got, addresses(want[0], want[2])) {
		t.Errorf("those that nobody names: %q, want %q and %q", got, want[0], want[2])
	}
	if got := take("admin"); !slices.Equal(got, addresses(want[1])) {
		t.Errorf("admin: %q, want %q", got, want[1])
	}

	heir := heirOf(t, &s) // which finds all but the one that nobody took
	if got := heir.SystemdNames(); !slices.Equal(got, []string{"web", "web", "admin"}) {
		t.Errorf("the successor is given %q", got)
	}
	if got := s.CloseRest(); !slices.Equal(got, []string{"other"}) {
		t.Errorf("left over: %q", got)
	}
}

// systemd's socket in the file system is systemd's to remove.
func TestSystemdUnixSocketStays(t *testing.T) {
	path := newDir(t).path("s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	check(t, err)
	defer l.Close()
	var s Sockets
	s.GiveSystemd("x", fileOf(t, l))
	all, err := s.Systemd("")
	check(t, err)
	reach(t, all[0], path)
	s.Own()
	all[0].Close()
	if missing(path) {
		t.Error("the path is gone")
	}
}

func TestSystemdMistakes(t *testing.T) {
	datagram, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check(t, err)
	defer datagram.Close()
	file, err := os.Create(newDir(t).path("f"))
	check(t, err)
	l := kinds(t)["tcp"]
	client, err := net.Dial("tcp", l.Addr().String())
	check(t, err)
	defer client.Close()
	for _, tt := range []struct {
		name string
		file *os.File
		want string
	}{
		{"file", file, "systemd's socket file is not a socket"},
		{"datagrams", fileOf(t, datagram), "systemd's socket datagrams is not a stream socket"},
		{"connection", fileOf(t, client), "systemd's socket connection is one client's connection: write Accept=no in the socket unit"},
		{"idle", idleSocket(t), "systemd's socket idle is a socket that neither listens nor is connected"},
	} {
		var s Sockets
		s.GiveSystemd(tt.name, tt.file)
		if _, err := s.Systemd(""); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
