//go:build unix

package listen

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// childEnv makes the test binary a program that inetd starts: it echoes what
// as many connections send as the value says.
const childEnv = "WSBRIDGE_TEST_INHERITED"

// serveInherited is that program. It reports on descriptor 3, and chats on
// standard output and standard error, as programs do.
func serveInherited() int {
	report := os.NewFile(3, "report")
	l, err := Inherited(0)
	if err != nil {
		fmt.Fprintln(report, err)
		return 1
	}
	fmt.Println("chat on standard output")
	fmt.Fprintln(os.Stderr, "chat on standard error")
	fmt.Fprintf(report, "serving %s %T\n", l.Addr().Network(), l)
	n, _ := strconv.Atoi(os.Getenv(childEnv))
	for range n {
		conn, err := l.Accept()
		if err != nil {
			fmt.Fprintln(report, err)
			return 1
		}
		go echo(conn)
	}
	if _, err := l.Accept(); errors.Is(err, net.ErrClosed) {
		fmt.Fprintln(report, "over")
	}
	return 0
}

func echo(conn net.Conn) {
	defer conn.Close()
	io.Copy(conn, conn)
}

// inetd starts the program with socket as its standard streams, or as its
// standard input alone, and gives the lines it reports.
func inetd(t *testing.T, socket *os.File, streams int) (lines *bufio.Scanner, child *exec.Cmd) {
	t.Helper()
	r, w, err := os.Pipe()
	check(t, err)
	child = exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"=1")
	child.Stdin, child.ExtraFiles = socket, []*os.File{w}
	if streams == 3 {
		child.Stdout, child.Stderr = socket, socket
	}
	check(t, child.Start())
	t.Cleanup(func() {
		r.Close()
		child.Process.Kill()
		child.Wait()
	})
	w.Close()
	socket.Close()
	return bufio.NewScanner(r), child
}

// says wants the next line the program reports to begin with want.
func says(t *testing.T, lines *bufio.Scanner, want string) {
	t.Helper()
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
		t.Fatalf("the program says %q, want %q", lines.Text(), want)
	}
}

// exchange wants the other end to echo text, and nothing else, and then to
// end.
func exchange(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	defer conn.Close()
	_, err := io.WriteString(conn, text)
	check(t, err)
	check(t, conn.(interface{ CloseWrite() error }).CloseWrite())
	if got, err := io.ReadAll(conn); string(got) != text || err != nil {
		t.Errorf("got %q, %v back, want %q", got, err, text)
	}
}

// kinds of sockets to inherit, by what makes a listener.
func kinds(t *testing.T) map[string]net.Listener {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	local, err := net.Listen("unix", newDir(t).path("s"))
	check(t, err)
	t.Cleanup(func() {
		tcp.Close()
		local.Close()
	})
	return map[string]net.Listener{"tcp": tcp, "unix": local}
}

func fileOf(t *testing.T, socket any) *os.File {
	t.Helper()
	f, err := socket.(interface{ File() (*os.File, error) }).File()
	check(t, err)
	return f
}

// inetd's "wait": the program accepts for itself.
func TestInheritedListener(t *testing.T) {
	for network, l := range kinds(t) {
		lines, _ := inetd(t, fileOf(t, l), 3)
		says(t, lines, "serving "+network)
		conn, err := net.Dial(network, l.Addr().String())
		check(t, err)
		exchange(t, conn, "through "+network)
	}
}

// inetd's "nowait": the program serves the one connection and ends. All three
// standard streams are the socket, and none of the chat goes there.
func TestInheritedConnection(t *testing.T) {
	for network, l := range kinds(t) {
		for _, streams := range []int{1, 3} {
			client, err := net.Dial(network, l.Addr().String())
			check(t, err)
			server, err := l.Accept()
			check(t, err)
			lines, child := inetd(t, fileOf(t, server), streams)
			server.Close()
			says(t, lines, "serving "+network)
			exchange(t, client, "through "+network)
			says(t, lines, "over")
			if err := child.Wait(); err != nil {
				t.Errorf("%s: the program ends with %v", network, err)
			}
		}
	}
}

func TestInheritedMistakes(t *testing.T) {
	datagram, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check(t, err)
	defer datagram.Close()
	null, err := os.Open(os.DevNull)
	check(t, err)
	file, err := os.Create(newDir(t).path("f"))
	check(t, err)
	tests := []struct {
		name  string
		stdin *os.File
		want  string
	}{
		{"null device", null, "descriptor 0 is not a socket: let inetd start the program, or systemd with StandardInput=socket"},
		{"file", file, "descriptor 0 is not a socket"},
		{"datagrams", fileOf(t, datagram), "descriptor 0 is not a stream socket: in inetd's configuration write stream"},
		{"idle socket", idleSocket(t), "descriptor 0 is a socket that neither listens nor is connected"},
	}
	for _, tt := range tests {
		lines, child := inetd(t, tt.stdin, 1)
		says(t, lines, tt.want)
		if child.Wait() == nil {
			t.Errorf("%s: the program ends well", tt.name)
		}
	}
	if _, err := Inherited(12345); err == nil || !strings.HasPrefix(err.Error(), "descriptor 12345 is not open: ") {
		t.Errorf("no descriptor: %v", err)
	}
}

// A listener of one connection that nobody accepts closes it.
func TestSingleNeverAccepted(t *testing.T) {
	near, far := net.Pipe()
	s := newSingle(far)
	check(t, s.Close())
	check(t, s.Close())
	if _, err := s.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if _, err := near.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection is still open: %v", err)
	}
}

// One that was accepted outlives its listener, as connections do.
func TestSingleClosedFirst(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	s := newSingle(far)
	conn, err := s.Accept()
	check(t, err)
	defer conn.Close()
	check(t, s.Close())
	if _, err := s.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	go near.Write([]byte("x"))
	if n, err := conn.Read(make([]byte, 1)); n != 1 {
		t.Errorf("read %d, %v", n, err)
	}
}

// idleSocket is neither bound nor connected.
func idleSocket(t *testing.T) *os.File {
	t.Helper()
	fd, err := newSocket()
	check(t, err)
	return os.NewFile(uintptr(fd), "idle")
}
