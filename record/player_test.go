package record

import (
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// write puts a recording of these lines in a file.
func write(t *testing.T, lines ...string) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "session.1")
	if err := os.WriteFile(name, []byte(header+strings.Join(lines, "\n")+"\n"+terminator), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func dial(t *testing.T, p *Player) net.Conn {
	t.Helper()
	c, err := p.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// heard is what a client heard, and when.
type heard struct {
	At   time.Duration
	What string
}

// listenTo reads c to its end.
func listenTo(t *testing.T, c net.Conn) (all []heard) {
	t.Helper()
	began, b := time.Now(), make([]byte, 100)
	for {
		n, err := c.Read(b)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Errorf("read: %v", err)
			return all
		}
		all = append(all, heard{time.Since(began), string(b[:n])})
	}
}

func TestReplayKeepsTime(t *testing.T) {
	name := write(t, "'{0{a',", "'{1000{b',", "'}1500}unheard',", "'{1500{c',", "'{61500{d',")
	for speed, times := range map[float64][4]time.Duration{
		0:           {0, ms(1000), ms(1500), ms(61500)},
		1:           {0, ms(1000), ms(1500), ms(61500)},
		2:           {0, ms(500), ms(750), ms(30750)},
		0.5:         {0, ms(2000), ms(3000), ms(123000)},
		math.Inf(1): {},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := dial(t, &Player{File: name, Speed: speed})
			defer c.Close()
			want := []heard{{times[0], "a"}, {times[1], "b"}, {times[2], "c"}, {times[3], "d"}}
			if diff := cmp.Diff(want, listenTo(t, c)); diff != "" {
				t.Errorf("speed %v (-want +got):\n%s", speed, diff)
			}
		})
	}
}

func TestReplayTakesWhatTheClientSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := dial(t, &Player{File: write(t, "'{1000{answer',")})
		defer c.Close()
		for range 3 {
			if n, err := c.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
				t.Fatal(n, err)
			}
		}
		if diff := cmp.Diff([]heard{{ms(1000), "answer"}}, listenTo(t, c)); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
		if _, err := c.Write([]byte("after the end")); err != nil {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestLockStepWaitsForTheQuestion(t *testing.T) {
	name := write(t, "'{0{version',", "'}100}12',", "'}100}345',", "'{200{answer',", "'}300}6',", "'{400{bye',")
	synctest.Test(t, func(t *testing.T) {
		c := dial(t, &Player{File: name, LockStep: true})
		defer c.Close()
		go func() {
			time.Sleep(ms(150))
			c.Write([]byte("1234"))
			time.Sleep(ms(1850))
			c.Write([]byte("56")) // the question late, the next one early
		}()
		want := []heard{{0, "version"}, {ms(2100), "answer"}, {ms(2300), "bye"}}
		if diff := cmp.Diff(want, listenTo(t, c)); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
	})
}

func TestLockStepDoesNotWaitForever(t *testing.T) {
	name := write(t, "'}100}12',", "'{200{a',", "'}1000}345',", "'{1000{b',")
	synctest.Test(t, func(t *testing.T) {
		c := dial(t, &Player{File: name, LockStep: true, LockStepWait: time.Minute})
		defer c.Close()
		want := []heard{{time.Minute + ms(200), "a"}, {time.Minute + ms(1000), "b"}}
		if diff := cmp.Diff(want, listenTo(t, c)); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
	})
}

// Each way for a caller to leave: the goroutine that plays must leave too,
// else synctest complains.
func TestAClientMayLeaveAtAnyTime(t *testing.T) {
	name := write(t, "'{0{first',", "'}10}question',", "'{3600000{last',")
	for what, leave := range map[string]func(c net.Conn){
		"before a byte":   func(c net.Conn) {},
		"between frames":  func(c net.Conn) { c.Read(make([]byte, 5)); synctest.Wait() },
		"within a frame":  func(c net.Conn) { c.Read(make([]byte, 2)) },
		"after half":      func(c net.Conn) { c.Read(make([]byte, 5)); c.(halfCloser).CloseWrite() },
		"after a timeout": func(c net.Conn) { c.SetDeadline(time.Now().Add(time.Second)); io.Copy(io.Discard, c) },
	} {
		for _, lockStep := range []bool{false, true} {
			t.Run(what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := dial(t, &Player{File: name, LockStep: lockStep})
					leave(c)
					c.Close()
				})
			})
		}
	}
}

type halfCloser interface{ CloseWrite() error }

func TestAClientThatIsDoneMeetsTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := dial(t, &Player{File: write(t, "'{0{first',", "'{3600000{last',")})
		defer c.Close()
		time.AfterFunc(time.Second, func() { c.(halfCloser).CloseWrite() })
		if diff := cmp.Diff([]heard{{0, "first"}}, listenTo(t, c)); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
	})
}

func TestReplayOfABrokenFile(t *testing.T) {
	letter := filepath.Join(t.TempDir(), "letter")
	os.WriteFile(letter, []byte("Dear Sir\n"), 0o600)
	for want, p := range map[string]*Player{
		"letter:1: not a recording": {File: letter},
		"no such file":              {File: letter + ".2"},
		"must be above 0":           {File: letter, Speed: -1},
		"speed NaN":                 {File: letter, Speed: math.NaN()},
	} {
		if c, err := p.Dial(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v %v, want %q", p, c, err, want)
		}
	}
	c := dial(t, &Player{File: write(t, "'{0{good',", "'{0{bad\n',")})
	defer c.Close()
	b, err := io.ReadAll(c)
	if string(b) != "good" || err == nil || !strings.Contains(err.Error(), "session.1:3: the line ends") {
		t.Errorf("read %q and then %v; want what is good and then why not the rest", b, err)
	}
}

func TestReplayOfALiveRecordingPlaysWhatIsThere(t *testing.T) {
	name := write(t)
	os.WriteFile(name, []byte(header+"'{0{there',\n'{5{not ye"), 0o600)
	c := dial(t, &Player{File: name})
	defer c.Close()
	if b, err := io.ReadAll(c); string(b) != "there" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
}
