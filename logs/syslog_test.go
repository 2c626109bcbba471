package logs

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// kinds are the sockets that servers have here.
func kinds() []string {
	if runtime.GOOS == "windows" {
		return []string{"udp", "tcp", "tls"}
	}
	return []string{"unixgram", "unix", "udp", "tcp", "tls"}
}

// Every kind of server gets whole records, in order, in either form.
func TestSyslog(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) {
			s := newServer(t, kind)
			s.start()
			out := open(t, Options{Syslog: s.address(), Daemon: true})
			log := out.Logger().With("client", "127.0.0.1:4000").WithGroup("session")
			log.Info("ended", "bytes", 12, "why", "a\nb")
			log.Warn("grün", "level", "x", "time", "y", "msg", "z")
			log.Error("two\nlines")
			log.Debug("not asked for")
			out.Logger().Info("last")
			if err := out.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			host, _ := os.Hostname()
			for _, want := range []string{
				`<30> ended client=127.0.0.1:4000 session.bytes=12 session.why="a\nb"`,
				"<28> \ufeffgrün client=127.0.0.1:4000 session.level=x session.time=y session.msg=z",
				`<27> two\nlines client=127.0.0.1:4000`,
				`<30> last`,
			} {
				parts := modernRecord.FindStringSubmatch(<-s.records)
				if parts == nil || parts[3] != headerName(host) || parts[4] != strconv.Itoa(os.Getpid()) {
					t.Fatalf("not our record of RFC 5424: %q", parts)
				}
				at, err := time.Parse(time.RFC3339Nano, parts[2])
				if err != nil || time.Since(at).Abs() > time.Hour {
					t.Errorf("time %q", parts[2])
				}
				if diff := cmp.Diff(want, "<"+parts[1]+"> "+parts[5]+parts[6]); diff != "" {
					t.Errorf("record (-want +got):\n%s", diff)
				}
			}
		})
		t.Run(kind+" legacy", func(t *testing.T) {
			s := newServer(t, kind)
			s.start()
			out := open(t, Options{Syslog: s.address(), Legacy: true})
			out.Logger().Info("grün", "n", 1)
			if err := out.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, want := <-s.records, fmt.Sprintf("<14>wsbridge[%d]: grün n=1", os.Getpid()); got != want {
				t.Errorf("record %q, want %q", got, want)
			}
		})
	}
}

// Attributes of the record that are named like slog's own stay.
func TestSyslogKeepsAttributes(t *testing.T) {
	s := newServer(t, "tcp")
	s.start()
	out := open(t, Options{Syslog: s.address()})
	out.Logger().Warn("m", "level", "x", "msg", "y", "time", "z")
	out.Logger().Warn("")
	if got, want := s.next(), "m level=x msg=y time=z"; got != want {
		t.Errorf("record %q, want %q", got, want)
	}
	if got := s.next(); got != "" {
		t.Errorf("record %q, want an empty one", got)
	}
}

func TestSyslogJSON(t *testing.T) {
	s := newServer(t, "tcp")
	s.start()
	out := open(t, Options{Syslog: s.address(), JSON: true})
	out.Logger().Warn("m", "n", 1)
	if got, want := s.next(), `{"level":"WARN","msg":"m","n":1}`; got != want {
		t.Errorf("record %q, want %q", got, want)
	}
}

// A server that is restarted is found again, and what was logged while it was
// away arrives. Both are said once.
func TestSyslogRestart(t *testing.T) {
	for _, kind := range kinds() {
		if kind == "udp" {
			continue // which knows nothing of servers
		}
		t.Run(kind, func(t *testing.T) {
			s := newServer(t, kind)
			s.start()
			var stderr screen
			out := open(t, Options{Stderr: &stderr, Syslog: s.address()})
			out.Logger().Info("first")
			s.until("first")
			s.stop()
			last := 0
			await(t, "the remark", func() bool {
				last++
				out.Logger().Info("away", "n", last)
				return strings.Contains(stderr.String(), `msg="syslog server fails, trying again" server=`)
			})
			for range 100 {
				last++
				out.Logger().Info("away", "n", last)
			}
			s.start()
			back := s.until("syslog server is back")
			checkRun(t, back[:len(back)-1], last)
			out.Logger().Info("as before")
			s.until("as before")
			if text := stderr.String(); strings.Count(text, "syslog server fails") != 1 || strings.Count(text, "syslog server is back") != 1 {
				t.Errorf("standard error:\n%s", text)
			}
		})
	}
}

// checkRun wants consecutive records, up to last: only what the dead server's
// socket has taken may be missing, at the front. The remark may come between.
func checkRun(t *testing.T, texts []string, last int) {
	t.Helper()
	for i := range texts {
		if want := fmt.Sprint("away n=", last-len(texts)+1+i); texts[i] != want {
			t.Fatalf("record %q, want %q", texts[i], want)
		}
	}
	if len(texts) < 100 {
		t.Errorf("only %d records arrive", len(texts))
	}
}

// A server may come after the bridge.
func TestSyslogComesLater(t *testing.T) {
	for _, kind := range kinds() {
		if kind == "udp" {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			s := newServer(t, kind)
			s.start()
			s.stop() // the name is known now
			var stderr screen
			out := open(t, Options{Stderr: &stderr, Syslog: s.address()})
			out.Logger().Info("early")
			await(t, "the remark", func() bool { return strings.Contains(stderr.String(), "syslog server fails") })
			s.start()
			if got := s.next(); got != "early" {
				t.Errorf("record %q", got)
			}
		})
	}
}

// UDP loses what nobody hears, and that is nobody's trouble.
func TestSyslogToNobodyByUDP(t *testing.T) {
	s := newServer(t, "udp")
	s.start()
	s.stop()
	var stderr screen
	out := open(t, Options{Stderr: &stderr, Syslog: s.address()})
	for range 50 {
		out.Logger().Info("x")
	}
	if err := out.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if strings.Contains(stderr.String(), "WARN") {
		t.Errorf("standard error:\n%s", &stderr)
	}
}

var lostCount = regexp.MustCompile(`msg="log records were lost" output=syslog lost=(\d+)`)

// A server that does not read holds up nobody. It gets the oldest records, is
// told how many it lacks, and none is unaccounted for.
func TestSyslogNeverReads(t *testing.T) {
	for _, kind := range kinds() {
		if kind == "udp" {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			s := newServer(t, kind)
			s.hang()
			s.start()
			var stderr screen
			out := open(t, Options{Stderr: &stderr, Syslog: s.address()})
			big := strings.Repeat("x", 4000)
			logged := 0
			await(t, "the remark", func() bool {
				for range 100 {
					logged++
					out.Logger().Info("flood", "n", logged, "x", big)
				}
				return strings.Contains(stderr.String(), `msg="log records are being lost" output=syslog err="the syslog server does not keep up"`)
			})
			s.goOn()
			await(t, "the count", func() bool {
				logged++
				out.Logger().Info("flood", "n", logged)
				return lostCount.MatchString(stderr.String())
			})
			if err := out.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := s.until("log records were lost")
			lost, _ := strconv.Atoi(lostCount.FindStringSubmatch(stderr.String())[1])
			if flood := len(got) - 1; lost == 0 || flood+lost != logged {
				t.Errorf("%d arrive and %d are said to be lost, of %d", flood, lost, logged)
			}
			if want := fmt.Sprintf("log records were lost output=syslog lost=%d", lost); got[len(got)-1] != want {
				t.Errorf("the server is told %q, want %q", got[len(got)-1], want)
			}
		})
	}
}

// Close does not wait for a server that hangs longer than it may.
func TestCloseBesideHangingServer(t *testing.T) {
	for _, kind := range kinds() {
		if kind == "udp" {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			s := newServer(t, kind)
			s.hang()
			s.start()
			var stderr screen
			out := open(t, Options{Stderr: &stderr, Syslog: s.address()})
			big := strings.Repeat("x", 4000)
			await(t, "the remark", func() bool {
				for range 100 {
					out.Logger().Info("flood", "x", big)
				}
				return strings.Contains(stderr.String(), "are being lost")
			})
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := out.Close(ctx); err == nil || !regexp.MustCompile(`did not get the last \d+ records$`).MatchString(err.Error()) {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// Close tries a server that is away once more, and ends.
func TestCloseWithoutServer(t *testing.T) {
	s := newServer(t, "tcp")
	s.start()
	s.stop()
	var stderr screen
	out := open(t, Options{Stderr: &stderr, Syslog: s.address()})
	out.Logger().Info("one")
	out.Logger().Info("two")
	await(t, "the remark", func() bool { return strings.Contains(stderr.String(), "syslog server fails") })
	if err := out.Close(context.Background()); err == nil || !strings.Contains(err.Error(), "did not get the last 2 records") {
		t.Errorf("Close: %v", err)
	}
}

// A server that the authorities do not vouch for gets nothing.
func TestSyslogImpostor(t *testing.T) {
	s := newServer(t, "tls")
	s.start()
	_, other := newCertificate(t)
	s.ca = other
	var stderr screen
	out := open(t, Options{Stderr: &stderr, Syslog: s.address()})
	out.Logger().Info("secret")
	await(t, "the remark", func() bool { return strings.Contains(stderr.String(), "certificate") })
	if err := out.Close(t.Context()); err == nil {
		t.Error("the record is said to be delivered")
	}
	if len(s.records) > 0 {
		t.Errorf("the server has %q", <-s.records)
	}
}

func TestSyslogAuthorities(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for ca, want := range map[string]string{empty: "has no certificate in PEM", empty + ".not": "cannot be read"} {
		file := filepath.Join(t.TempDir(), "log")
		out, err := Open(Options{File: file, Syslog: Address{Network: "tls", Name: "localhost:6514", CA: ca}})
		if out != nil || err == nil || !strings.Contains(err.Error(), ca+" "+want) {
			t.Errorf("Open = %v, %v; want %q", out, err, want)
		}
	}
}

// smallPost refuses large datagrams, as some systems do.
type smallPost struct {
	net.Conn
	limit int
	took  []string
}

func (p *smallPost) SetWriteDeadline(time.Time) error { return nil }

func (p *smallPost) Write(b []byte) (int, error) {
	if len(b) > p.limit {
		return 0, &net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EMSGSIZE)}
	}
	p.took = append(p.took, string(b))
	return len(b), nil
}

// A datagram that the system refuses as too large is cut, not tried for ever.
func TestLargeDatagram(t *testing.T) {
	post := &smallPost{limit: 2048}
	w := &wire{Conn: post}
	f := format{facility: facilityUser, host: "h", pid: 1}
	if err := w.send(f.record(someTime, slog.LevelInfo, []byte(strings.Repeat("x", 5000)))); err != nil {
		t.Fatal(err)
	}
	if len(post.took) != 1 || len(post.took[0]) != maxDatagram || !strings.HasSuffix(post.took[0], "x...") {
		t.Errorf("sent %q", post.took)
	}
}
