package access

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// waiting is a session whose next read and write have a minute to wait.
func waiting(t *testing.T, a Allowance) net.Conn {
	bridge, service := pipe(t)
	a.PerSession = 1
	c := a.Wrap(bridge, "", "")
	go service.Write(noise(minPiece))
	go service.Read(make([]byte, minPiece))
	if n, err := c.Read(make([]byte, 2*minPiece)); n != minPiece || err != nil {
		t.Fatal(n, err)
	}
	_, err := c.Write(noise(minPiece))
	check(t, err)
	return c
}

// both starts a read and a write that wait, and returns their errors.
func both(c net.Conn) <-chan error {
	ended := make(chan error, 2)
	go func() { _, err := c.Read(make([]byte, 1)); ended <- err }()
	go func() { _, err := c.Write(make([]byte, 1)); ended <- err }()
	synctest.Wait()
	return ended
}

// A deadline set before or while a session waits ends the wait, on time; and
// so does Close, at once. Nobody is left behind: synctest would see a deadlock.
func TestWaitsEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		before, while func(net.Conn)
		after         time.Duration
		want          error
	}{
		"deadline before": {func(c net.Conn) { c.SetDeadline(time.Now().Add(time.Second)) }, nil, time.Second, os.ErrDeadlineExceeded},
		"deadline while":  {nil, func(c net.Conn) { c.SetDeadline(time.Now().Add(time.Second)) }, time.Second, os.ErrDeadlineExceeded},
		"deadline moved": {func(c net.Conn) { c.SetDeadline(time.Now().Add(time.Second)) }, func(c net.Conn) { c.SetDeadline(time.Now().Add(30 * time.Second)) },
			30 * time.Second, os.ErrDeadlineExceeded},
		"deadline past": {nil, func(c net.Conn) { c.SetReadDeadline(time.Unix(1, 0)); c.SetWriteDeadline(time.Unix(1, 0)) }, 0, os.ErrDeadlineExceeded},
		"close":         {nil, func(c net.Conn) { c.Close(); c.Close() }, 0, net.ErrClosed},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := waiting(t, Allowance{})
			defer c.Close()
			if tt.before != nil {
				tt.before(c)
			}
			began, ended := time.Now(), both(c)
			if tt.while != nil {
				tt.while(c)
			}
			for range 2 {
				if err := <-ended; !errors.Is(err, tt.want) {
					t.Errorf("%s: got %v, want %v", name, err, tt.want)
				}
			}
			if took := time.Since(began); took != tt.after {
				t.Errorf("%s: after %v, want %v", name, took, tt.after)
			}
		})
	}
}

// A read that a deadline ended has lost nothing, and a write says how much went.
func TestDeadlinesDropNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bridge, service := pipe(t)
		c := Allowance{PerSession: 1000}.Wrap(bridge, "", "")
		defer c.Close()
		data := noise(3000)
		go service.Write(data)
		var got []byte
		timeouts := 0
		for len(got) < len(data) {
			c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			p := make([]byte, 700)
			n, err := c.Read(p)
			got = append(got, p[:n]...)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				timeouts++
			}
		}
		if !bytes.Equal(got, data) || timeouts < 100 {
			t.Errorf("%d bytes, equal %v, in %d timeouts", len(got), bytes.Equal(got, data), timeouts)
		}
		arrived := make(chan int64)
		go func() { n, _ := io.Copy(io.Discard, service); arrived <- n }()
		c.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := c.Write(data)
		if !errors.Is(err, os.ErrDeadlineExceeded) || n < 900 || n > 1200 {
			t.Errorf("wrote %d, %v", n, err)
		}
		c.Close()
		if m := <-arrived; m != int64(n) {
			t.Errorf("%d arrived of %d", m, n)
		}
	})
}

// Writes of several goroutines are not mixed, though each goes in pieces.
func TestWritesStayWhole(t *testing.T) {
	const size, rate = 4000, 40_000
	bridge, service := pipe(t)
	c := Allowance{PerSession: rate}.Wrap(bridge, "", "")
	defer c.Close()
	for _, letter := range []byte("abc") {
		go c.Write(bytes.Repeat([]byte{letter}, size))
	}
	got := make([]byte, 3*size)
	_, err := io.ReadFull(service, got)
	check(t, err)
	for at := 0; at < len(got); at += size {
		if !bytes.Equal(got[at:at+size], bytes.Repeat(got[at:at+1], size)) {
			t.Errorf("mixed at %d", at)
		}
	}
}

// The client is done; the target may still answer. Real sockets have sides.
func TestHalfClose(t *testing.T) {
	bridge, service := tcpPair(t)
	c := Allowance{PerSession: 1 << 30}.Wrap(bridge, "", "")
	defer c.Close()
	go func() {
		all, _ := io.ReadAll(service)
		service.Write(all)
		service.Close()
	}()
	data := noise(1 << 20)
	_, err := c.Write(data)
	check(t, err)
	check(t, c.(interface{ CloseWrite() error }).CloseWrite())
	if got, err := io.ReadAll(c); !bytes.Equal(got, data) || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	oneSided, _ := pipe(t)
	c = Allowance{PerSession: 1}.Wrap(oneSided, "", "")
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	if _, err := oneSided.Write([]byte("x")); err == nil {
		t.Error("a target without sides was left open")
	}
}

// After its bytes a session ends both ways, with a reason, and none is lost
// before.
func TestMaxBytes(t *testing.T) {
	for name, use := range map[string]func(c, service net.Conn) (used int64){
		"read": func(c, service net.Conn) int64 {
			go service.Write(noise(2000))
			n, err := io.Copy(io.Discard, c)
			wantReason(t, err, "session has used up its bytes")
			return n
		},
		"write": func(c, service net.Conn) int64 {
			go io.Copy(io.Discard, service)
			n, err := c.Write(noise(2000))
			wantReason(t, err, "session has used up its bytes")
			return int64(n)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			bridge, service := pipe(t)
			c := Allowance{MaxBytes: 1000}.Wrap(bridge, "", "")
			if used := use(c, service); used != 1000 {
				t.Errorf("%s: %d bytes", name, used)
			}
			for range 2 {
				c.SetDeadline(time.Now().Add(time.Hour)) // as a session has to end
				_, err := c.Read(make([]byte, 1))
				wantReason(t, err, "session has used up its bytes")
				_, err = c.Write(make([]byte, 1))
				wantReason(t, err, "session has used up its bytes")
			}
			c.Close()
			service.Close()
		})
	}
}

// A read that waits for a silent target hears that the bytes are gone.
func TestMaxBytesWakesTheOtherWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bridge, service := pipe(t)
		go io.Copy(io.Discard, service)
		c := Allowance{MaxBytes: 1000}.Wrap(bridge, "", "")
		read := make(chan error)
		go func() { _, err := c.Read(make([]byte, 1)); read <- err }()
		synctest.Wait()
		c.Write(noise(1000))
		c.SetDeadline(time.Now().Add(time.Hour))
		wantReason(t, <-read, "session has used up its bytes")
		c.Close()
		service.Close()
	})
}

// When its time is over a session ends, whatever it does and whatever deadlines
// it has.
func TestMaxTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bridge, _ := pipe(t)
		c := Allowance{MaxTime: time.Minute}.Wrap(bridge, "", "")
		defer c.Close()
		began := time.Now()
		c.SetDeadline(began.Add(time.Second))
		ended := both(c)
		for range 2 {
			var told *Error
			if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &told) {
				t.Errorf("its own deadline: %v", err)
			}
		}
		c.SetDeadline(began.Add(time.Hour))
		ended = both(c)
		for range 2 {
			wantReason(t, <-ended, "session has used up its time")
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("after %v", took)
		}
	})
}

// Time is over too for who waits for bandwidth.
func TestMaxTimeWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := waiting(t, Allowance{MaxTime: 30 * time.Second})
		defer c.Close()
		ended := both(c)
		for range 2 {
			wantReason(t, <-ended, "session has used up its time")
		}
	})
}

// wantReason wants an error that a client is told so.
func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	var told interface{ CloseReason() string }
	if !errors.As(err, &told) || told.CloseReason() != reason || len(reason) > 60 {
		t.Errorf("got %v, want the reason %q", err, reason)
	}
}
