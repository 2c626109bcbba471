package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patienceOfTests is how long a test waits for what must happen.
const patienceOfTests = 25 * time.Second

// logBuffer is a log that tests read.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// newRecorder records to session.N in a new directory.
func newRecorder(t *testing.T) (*Recorder, *logBuffer) {
	log := &logBuffer{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log:\n%s", log)
		}
	})
	return &Recorder{Prefix: filepath.Join(t.TempDir(), "session"), Log: log.logger()}, log
}

// pair is a recorded target and the service behind it.
func pair(t *testing.T, r *Recorder) (recorded net.Conn, service *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	recorded = r.Wrap(near)
	deadline := time.Now().Add(patienceOfTests)
	recorded.SetDeadline(deadline)
	far.SetDeadline(deadline)
	t.Cleanup(func() { recorded.Close(); far.Close() })
	return recorded, far.(*net.TCPConn)
}

// say sends through from and wants it to come out of to.
func say(t *testing.T, from, to net.Conn, what string) {
	t.Helper()
	if _, err := io.WriteString(from, what); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(what))
	if _, err := io.ReadFull(to, b); err != nil || string(b) != what {
		t.Fatalf("%q came, %v, where %q was sent", b, err, what)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// untimed is a recording with all its times 0.
func untimed(recording string) string {
	return regexp.MustCompile(`(?m)^'([{}])\d+[{}]`).ReplaceAllString(recording, "'${1}0$1")
}

// frames reads a recording to its end.
func frames(t *testing.T, r *Reader) (all []Frame) {
	t.Helper()
	for {
		f, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Data = bytes.Clone(f.Data)
		all = append(all, f)
	}
}

func TestASessionIsRecordedAsWebsockifyWouldHave(t *testing.T) {
	r, log := newRecorder(t)
	target, service := pair(t, r)
	say(t, service, target, "RFB 003.008\n")
	say(t, target, service, "RFB 003.008\n")
	say(t, service, target, "\x01\x02\t\r'\\\x00\x7f\xff\"{}")
	say(t, target, service, "it's")
	target.Close()

	want := "var VNC_frame_data = [\n" +
		`'{0{RFB 003.008\n',` + "\n" +
		`'}0}RFB 003.008\n',` + "\n" +
		`'{0{\x01\x02\t\r\'\\\x00\x7f\xff"{}',` + "\n" +
		`'}0}it\'s',` + "\n" +
		"'EOF'];\n"
	if diff := cmp.Diff(want, untimed(readFile(t, r.Prefix+".1"))); diff != "" {
		t.Errorf("recording (-want +got):\n%s", diff)
	}
	if line := log.String(); !strings.Contains(line, "recording a session") || !strings.Contains(line, r.Prefix+".1") {
		t.Errorf("the log does not say where the recording is: %s", line)
	}
}

func TestOnlyTheOwnerMayReadARecording(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no mode here")
	}
	r, _ := newRecorder(t)
	target, _ := pair(t, r)
	target.Close()
	info, err := os.Stat(r.Prefix + ".1")
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
}

func TestNoRecorderIsNoWrapper(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if wrapped := (*Recorder)(nil).Wrap(a); wrapped != a {
		t.Errorf("without a Recorder the target became a %T", wrapped)
	}
}

func TestTheEndOfOneDirectionPassesThrough(t *testing.T) {
	r, _ := newRecorder(t)
	target, service := pair(t, r)
	say(t, target, service, "question")
	if err := target.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := service.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("the service read %d, %v; want the end", n, err)
	}
	say(t, service, target, "answer")
	service.Close()
	if n, err := target.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("the client read %d, %v; want the end", n, err)
	}
}

func TestATargetWithoutSidesIsClosed(t *testing.T) {
	r, _ := newRecorder(t)
	a, b := net.Pipe()
	defer b.Close()
	target := r.Wrap(a)
	defer target.Close()
	err := target.(interface{ CloseWrite() error }).CloseWrite()
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("CloseWrite: %v, want one that wraps ErrUnsupported", err)
	}
	if _, err := b.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the service read %v, want the end", err)
	}
}

func TestNumbersFillGapsAndOverwriteNothing(t *testing.T) {
	r, _ := newRecorder(t)
	for _, taken := range []string{".1", ".3"} {
		if err := os.WriteFile(r.Prefix+taken, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(r.Prefix+".elsewhere", r.Prefix+".5"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{".2", ".4", ".6"} {
		target, service := pair(t, r)
		say(t, service, target, "number "+want)
		target.Close()
		if got := readFile(t, r.Prefix+want); !strings.Contains(got, "number "+want) {
			t.Errorf("%s holds %q", want, got)
		}
	}
	for _, taken := range []string{".1", ".3"} {
		if got := readFile(t, r.Prefix+taken); got != "precious" {
			t.Errorf("%s was overwritten: %q", taken, got)
		}
	}
	if _, err := os.Lstat(r.Prefix + ".elsewhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a symbolic link was followed: %v", err)
	}
}

func TestTwoRecordersShareAPrefix(t *testing.T) {
	one, _ := newRecorder(t)
	two := &Recorder{Prefix: one.Prefix, Log: one.Log}
	const sessions = 20
	var wait sync.WaitGroup
	for i := range sessions {
		target, service := pair(t, []*Recorder{one, two}[i%2])
		wait.Go(func() {
			fmt.Fprintf(target, "session %d.", i)
			io.ReadFull(service, make([]byte, len("session 0.")))
			target.Close()
		})
	}
	wait.Wait()
	seen := map[string]bool{}
	for n := 1; n <= sessions; n++ {
		seen[untimed(readFile(t, fmt.Sprintf("%s.%d", one.Prefix, n)))] = true
	}
	if len(seen) != sessions {
		t.Errorf("%d sessions are in %d files", sessions, len(seen))
	}
}

func TestBothDirectionsAtOnceLoseNothing(t *testing.T) {
	r, _ := newRecorder(t)
	target, service := pair(t, r)
	data := bytes.Repeat([]byte("0123456789\x00\xff'\\\n\t"), 40_000)
	var wait sync.WaitGroup
	for _, way := range [][2]net.Conn{{target, service}, {service, target}} {
		wait.Go(func() { way[0].Write(data) })
		wait.Go(func() { io.ReadFull(way[1], make([]byte, len(data))) })
	}
	wait.Wait()
	target.Close()
	file, err := os.Open(r.Prefix + ".1")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var got [2][]byte
	for _, f := range frames(t, NewReader(file, "recording")) {
		got[direction(f.ToTarget)] = append(got[direction(f.ToTarget)], f.Data...)
	}
	for i, b := range got {
		if !bytes.Equal(b, data) {
			t.Errorf("direction %d: %d bytes are recorded, not the %d that were sent", i, len(b), len(data))
		}
	}
}

func TestTheSizeLimitEndsTheRecordingNotTheSession(t *testing.T) {
	r, log := newRecorder(t)
	r.MaxBytes = 100
	target, service := pair(t, r)
	say(t, target, service, "this still fits")
	say(t, target, service, strings.Repeat("this does not. ", 10))
	say(t, service, target, "fine")
	target.Close()
	want := "var VNC_frame_data = [\n'}0}this still fits',\n'EOF'];\n"
	if diff := cmp.Diff(want, untimed(readFile(t, r.Prefix+".1"))); diff != "" {
		t.Errorf("recording (-want +got):\n%s", diff)
	}
	if n := strings.Count(log.String(), "largest size"); n != 1 {
		t.Errorf("the log says %d times that the limit was reached, want once", n)
	}
}

func TestAFileMayBeExactlyAsLargeAsItsLimit(t *testing.T) {
	line := len("'}500000}x',\n")
	for limit, want := range map[int]int{31 + line: 1, 31 + line - 1: 0, 31 + 2*line: 2} {
		r, _ := newRecorder(t)
		r.MaxBytes = int64(limit)
		rec := newRecording(r.MaxBytes, r.Log)
		for range 3 {
			rec.begun = time.Now().Add(-500 * time.Second) // times of six digits
			rec.add(true, []byte("x"))
		}
		go rec.run(func() (storage, error) { return r.create() })
		rec.close()
		got := readFile(t, r.Prefix+".1")
		if n := strings.Count(got, "x"); n != want || len(got) > limit {
			t.Errorf("limit %d: %d frames in %d bytes, want %d frames", limit, n, len(got), want)
		}
	}
}

func TestASessionOutlivesADirectoryThatIsGone(t *testing.T) {
	r, log := newRecorder(t)
	if err := os.Remove(filepath.Dir(r.Prefix)); err != nil {
		t.Fatal(err)
	}
	target, service := pair(t, r)
	say(t, target, service, "question")
	say(t, service, target, "answer")
	target.Close()
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("the log warns %d times, want once:\n%s", n, log)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patienceOfTests); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came: %s", what)
		}
	}
}

// What was said a moment ago is in the file, and the file is whole, while the
// session lives: a crash costs little.
func TestALiveRecordingIsWhole(t *testing.T) {
	r, _ := newRecorder(t)
	target, service := pair(t, r)
	for _, word := range []string{"one", "two"} {
		say(t, target, service, word)
		waitFor(t, word, func() bool {
			b, _ := os.ReadFile(r.Prefix + ".1")
			return strings.HasSuffix(string(b), word+"',\n'EOF'];\n")
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{64, 64 << 10} {
		for _, on := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dB/recorded=%v", size, on), func(b *testing.B) {
				var r *Recorder
				if on {
					r = &Recorder{Prefix: filepath.Join(b.TempDir(), "session"), Log: slog.New(slog.DiscardHandler)}
				}
				target := r.Wrap(sink{})
				defer target.Close()
				p := bytes.Repeat([]byte("RFB\x00\x01\x02 and text"), size)[:size]
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					target.Write(p)
				}
			})
		}
	}
}

// sink is a target that takes everything.
type sink struct{ net.Conn }

func (sink) Write(p []byte) (int, error) { return len(p), nil }
func (sink) Close() error                { return nil }
