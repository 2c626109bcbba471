package passthrough

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
)

// pair is both ends of a connection.
func pair(t *testing.T, network, address string) (ours, theirs net.Conn) {
	t.Helper()
	l := listen(t, network, address)
	theirs, err := net.Dial(network, l.Addr().String())
	check(t, err)
	ours, err = l.Accept()
	check(t, err)
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

// Between sockets all bytes go through the kernel; with TLS on a side none do.
func TestSplice(t *testing.T) {
	const size = 3 << 20
	kinds := map[string]func() (net.Conn, net.Conn){
		"tcp":  func() (net.Conn, net.Conn) { return pair(t, "tcp", "127.0.0.1:0") },
		"unix": func() (net.Conn, net.Conn) { return pair(t, "unix", filepath.Join(t.TempDir(), "s")) },
	}
	for from, connectFrom := range kinds {
		for to, connectTo := range kinds {
			t.Run(from+" to "+to, func(t *testing.T) {
				ours, theirs := connectFrom()
				out, end := connectTo()
				j := newJoin(new(Target), out, nil)
				j.setClient(ours, nil)
				go func() {
					theirs.Write(random(size))
					theirs.Close()
				}()
				arrived := make(chan []byte)
				go func() {
					all, _ := io.ReadAll(end)
					arrived <- all
				}()
				if err := j.client.splice(); err != io.EOF {
					t.Errorf("spliced until %v", err)
				}
				out.Close()
				if got := <-arrived; string(got) != string(random(size)) || j.client.moved.Load() != size {
					t.Errorf("%d bytes came of %d counted", len(got), j.client.moved.Load())
				}
			})
		}
	}
	ours, _ := kinds["tcp"]()
	secret, _ := kinds["tcp"]()
	j := newJoin(new(Target), tls.Client(secret, &tls.Config{}), nil)
	j.setClient(ours, nil)
	for _, s := range []*side{&j.client, &j.target} {
		if err := s.splice(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}
