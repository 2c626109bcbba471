package target

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// listenUnix listens until the test ends.
func listenUnix(t *testing.T) (l net.Listener, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	check(t, err)
	t.Cleanup(func() { l.Close() })
	return l, path
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnix(t *testing.T) {
	l, path := listenUnix(t)
	go serve(l, echo)
	c, err := Unix{Path: path}.Dial(t.Context())
	check(t, err)
	if _, ok := c.(*net.UnixConn); !ok {
		t.Errorf("the connection is a %T, which has no fast path", c)
	}
	exchange(t, c, "through a file")
}

// hasReason wants err to be an *Error with this reason.
func hasReason(t *testing.T, err error, want string) {
	t.Helper()
	var reasoned interface{ CloseReason() string }
	if !errors.As(err, &reasoned) || reasoned.CloseReason() != want {
		t.Errorf("%v, want the reason %q", err, want)
	}
	if len(want) > 60 {
		t.Errorf("%q is %d bytes long", want, len(want))
	}
}

func TestUnixMistakes(t *testing.T) {
	d := t.TempDir()
	_, err := Unix{Path: filepath.Join(d, "none")}.Dial(t.Context())
	hasReason(t, err, "target socket not found")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v hides its cause", err)
	}
	hasReason(t, explain(&net.OpError{Op: "dial", Err: os.ErrPermission}, unixReason), "target socket may not be used")
}
