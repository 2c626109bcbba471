//go:build linux

package e2e

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// abuse is what a stranger does to a bridge, and all that comes of it.
type abuse struct {
	name    string
	attack  func(c *talker)
	told    string // what the stranger hears, a pattern of all of it
	counted counts // what rises in /metrics by it, and by how much: no more than that
	logged  string // a pattern that the log has then; empty: any
}

// counts are the bridge's own of refusals, by reason, and of ends of sessions, by
// code and who ended them.
type counts map[string]int

// some is a count of one or more.
const some = -1

// siege is a bridge under attack, and a well-behaved session beside it.
type siege struct {
	bridge
	admin  string
	friend *visitor
	quiet  int // descriptors when nobody attacks
}

// mostMemory is what a bridge may hold under any attack here, resident. A binary
// that looks for races takes several times what it would take without.
const mostMemory = 400 << 20

// besiege starts a bridge to a target that echoes. Plain clients may enter it.
func besiege(t *testing.T, options ...string) *siege {
	t.Helper()
	b := serve(t, target(t, echo), append(options, "--admin", "0")...)
	s := &siege{bridge: b, admin: "http://" + b.await(`(?:Administration on |"admin":")(127[0-9.:]*)`)[1] + "/metrics"}
	var err error
	if s.friend, err = enter(b.address(), false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.friend.conn.Close() })
	s.counts(t)
	s.quiet = len(descriptors(t, s.cmd.Process.Pid))
	return s
}

// withstand has the bridge go through each abuse, one after the other.
func (s *siege) withstand(t *testing.T, all []abuse) {
	for _, a := range all {
		t.Run(a.name, func(t *testing.T) { s.stand(t, a) })
	}
	t.Logf("%d MB at most", s.memory(t)>>20)
}

func (s *siege) stand(t *testing.T, a abuse) {
	before := s.counts(t)
	c := &talker{t: t, program: s.process, address: s.address()}
	a.attack(c)
	if told := strings.Join(c.heard, ", "); !regexp.MustCompile("^(" + a.told + ")$").MatchString(told) {
		t.Errorf("the attacker is told %q, want %q", told, a.told)
	}
	if c.conn != nil {
		c.leave()
	}
	s.counted(t, before, a.counted)
	if a.logged != "" {
		s.await(a.logged)
	}
	s.well(t)
}

// counted waits until the counts have risen as they should.
func (s *siege) counted(t *testing.T, before, want counts) {
	t.Helper()
	if want == nil {
		want = counts{}
	}
	var diff string
	for end := time.Now().Add(patience / 8); ; time.Sleep(20 * time.Millisecond) {
		rise := s.counts(t)
		for name, n := range rise {
			if n -= before[name]; n == 0 {
				delete(rise, name)
			} else if rise[name] = n; n > 0 && want[name] == some {
				rise[name] = some
			}
		}
		if diff = cmp.Diff(want, rise); diff == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the counts do not rise as they should (-want +got):\n%s", diff)
		}
	}
}

// well holds that the bridge is as it was: its friend and a newcomer hear their
// bytes, nothing is left of the attack, and it took no more than it may.
func (s *siege) well(t *testing.T) {
	t.Helper()
	if err := s.friend.echo(noise(10_000)); err != nil {
		t.Fatalf("the session beside it: %v", err)
	}
	newcomer, err := enter(s.address(), false)
	if err != nil {
		t.Fatalf("who comes after it: %v", err)
	}
	if err := errors.Join(newcomer.echo(noise(10_000)), newcomer.leave()); err != nil {
		t.Fatalf("who comes after it: %v", err)
	}
	eventually(t, fmt.Sprintf("%d descriptors again", s.quiet), func() bool {
		return len(descriptors(t, s.cmd.Process.Pid)) <= s.quiet
	})
	if most := s.memory(t); most > mostMemory {
		t.Errorf("it took %d MB", most>>20)
	}
	if line := dirty.FindString(s.out.String()); line != "" {
		t.Errorf("the log has %q", line)
	}
}

// dirty is a line with something in it that is no text, or that turns text around.
var dirty = regexp.MustCompile(`(?m)^.*[\x00-\x09\x0b-\x1f\x7f-\x{9f}\x{200b}-\x{200f}\x{2028}-\x{202e}\x{2066}-\x{2069}\x{fffd}].*$`)

// memory is the most that the bridge has held, in bytes.
func (s *siege) memory(t *testing.T) int {
	t.Helper()
	status := string(read(t, fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid)))
	_, line, _ := strings.Cut(status, "VmHWM:")
	kilobytes, err := strconv.Atoi(strings.Fields(line)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

var countLine = regexp.MustCompile(`(?m)^wsbridge_(?:refused_total\{reason="(.*)"|close_total\{code="(\d+)",who="(\w+)")\} (\d+)$`)

// counts asks the bridge. Sessions that end as they should, of whom well makes
// some, are not among them.
func (s *siege) counts(t *testing.T) counts {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(s.admin)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	n := counts{}
	for _, m := range countLine.FindAllStringSubmatch(string(text), -1) {
		n[strings.TrimSpace(m[1]+m[2]+" "+m[3])], _ = strconv.Atoi(m[4])
	}
	maps.DeleteFunc(n, func(name string, _ int) bool { return name == "1000 client" })
	return n
}

var believing = &tls.Config{InsecureSkipVerify: true}

// reach opens a connection that has all the time there is.
func (c *talker) reach(config *tls.Config) {
	c.dial(config)
	c.conn.SetDeadline(time.Now().Add(patience))
}

// from opens one from an address of the machine's own.
func (c *talker) from(host string) {
	c.t.Helper()
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host)}}).Dial("tcp", c.address)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	c.conn, c.in = conn, bufio.NewReader(conn)
}

// shout says something on a connection of its own, while what is answered is
// read, and notes the statuses of all answers and how the connection ends.
func (c *talker) shout(text string) {
	if c.conn == nil {
		c.reach(nil)
	}
	go c.say(text)
	c.answers()
}

// answers notes the statuses of all answers to come, and the end, which is where
// something else than HTTP begins.
func (c *talker) answers() {
	for {
		answer, err := http.ReadResponse(c.in, nil)
		if err != nil {
			c.note("%s", failing(err))
			return
		}
		c.note("%d", answer.StatusCode)
		if answer.StatusCode == http.StatusSwitchingProtocols {
			return
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			c.note("%s", failing(err))
			return
		}
	}
}
