package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const inside = "SANDBOX_TEST" // in the environment of who is to be shut in

func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		prisoner{}.serve(os.Stdin, os.Stdout)
		return
	}
	os.Exit(m.Run())
}

// TestEnter: what can be done inside, and what not.
func TestEnter(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	lay(t, at("config/bridge.yaml"), at("config/keys/key.pem"), at("log/bridge.log"), at("run/old.sock"), at("home/secret"))
	say := shutIn(t, Sandbox{Read: []string{at("config/bridge.yaml")}, Write: []string{at("log/bridge.log"), at("run/new.sock")}})

	for _, c := range []struct{ ask, want string }{
		{"read " + at("config/bridge.yaml"), "bridge.yaml"},
		{"read " + at("config/keys/key.pem"), "key.pem"},
		{"list " + at("config"), "2"},
		{"write " + at("config/bridge.yaml"), "denied"},
		{"write " + at("config/new"), "denied"},
		{"remove " + at("config/bridge.yaml"), "denied"},
		{"read " + at("home/secret"), "denied"},
		{"list " + at("home"), "denied"},
		{"write " + at("home/new"), "denied"},
		{"write " + at("log/bridge.log"), "ok"},
		{"write " + at("log/bridge.log.1"), "ok"},
		{"read " + at("log/bridge.log"), "written"},
		{"remove " + at("log/bridge.log"), "ok"},
		{"remove " + at("run/old.sock"), "ok"},
		{"listen " + at("run/new.sock"), "ok"},
		{"listen " + at("home/new.sock"), "denied"},
		{"write /dev/null", "ok"},
		{"list /proc/self/fd", ">0"},
		{"list /etc", ">0"},
		{"list /usr/bin", "denied"},
	} {
		got := say(c.ask)
		if more := c.want == ">0" && got != "0" && got != "denied"; got != c.want && !more {
			t.Errorf("%s: %s, want %s", c.ask, got, c.want)
		}
	}
}

// TestReplaced: a certificate that another takes the place of is read anew:
// renamed over, as most programs do; a link made to lead to another file, as
// certbot does; a link to a folder in the middle, as Kubernetes does.
func TestReplaced(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	lay(t, at("plain/cert.pem"), at("live/README"), at("archive/chain1.pem"), at("secret/..1/tls.crt"), at("new/tls.crt"))
	link(t, "../archive/chain1.pem", at("live/chain.pem"))
	link(t, "..1", at("secret/..data"))
	link(t, "..data/tls.crt", at("secret/tls.crt"))
	say := shutIn(t, Sandbox{Read: []string{at("plain/cert.pem"), at("live/chain.pem"), at("secret/tls.crt")}})
	for _, name := range []string{at("plain/cert.pem"), at("live/chain.pem"), at("secret/tls.crt")} {
		if got := say("read " + name); strings.HasSuffix(got, "denied") {
			t.Fatalf("%s at first: %s", name, got)
		}
	}

	lay(t, at("plain/renewed.pem"), at("archive/chain2.pem"), at("secret/..2/tls.crt"))
	rename(t, at("plain/renewed.pem"), at("plain/cert.pem"))
	link(t, "../archive/chain2.pem", at("live/next"))
	rename(t, at("live/next"), at("live/chain.pem"))
	link(t, "..2", at("secret/next"))
	rename(t, at("secret/next"), at("secret/..data"))
	if err := os.RemoveAll(at("secret/..1")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"plain/cert.pem": "renewed.pem", "live/chain.pem": "chain2.pem", "secret/tls.crt": "tls.crt", "new/tls.crt": "denied"} {
		if got := say("read " + at(name)); got != want {
			t.Errorf("%s renewed: %s, want %s", name, got, want)
		}
	}
}

// TestThreads: threads that were there before are shut in, too.
func TestThreads(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	lay(t, secret)
	say := shutIn(t, Sandbox{Read: []string{"/etc"}})
	if got := say("threads " + secret); got != "8 of 8 denied" {
		t.Errorf("threads that read what they may not: %s", got)
	}
}

// TestNetwork: nothing is taken from the network, nor from the way to a unix
// socket outside.
func TestNetwork(t *testing.T) {
	say := shutIn(t, Sandbox{})
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if got := say("dial " + network + " " + l.Addr().String()); got != "ok" {
			t.Errorf("dial %s: %s", network, got)
		}
	}
}

// TestPrograms: only those named can be started, and they are shut in as well.
func TestPrograms(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	lay(t, secret)
	say := shutIn(t, Sandbox{Run: []string{self, "/lib/x", "/lib64/x", "/usr/lib/x"}})
	if got := say("run " + self + " read " + secret); got != "denied" {
		t.Errorf("what a program may read that was started inside: %s", got)
	}
	if got := say("run /bin/sh"); got != "denied" {
		t.Errorf("a program that is not named: %s", got)
	}
}

// TestTwice: each upgrade is a process inside the last one's sandbox; the
// kernel takes sixteen.
func TestTwice(t *testing.T) {
	say := shutIn(t, Sandbox{})
	for i := range 18 {
		if got := say("enter {}"); got != "true" {
			t.Fatalf("entered %d times, then: %s", i+1, got)
		}
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// shutIn starts a process and has it enter s. It is asked a line, and says one.
func shutIn(t *testing.T, s Sandbox) (say func(ask string) string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env, cmd.Stderr = append(os.Environ(), inside+"=1"), os.Stderr
	to, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	from, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		to.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the process that was shut in: %v", err)
		}
	})
	lines := bufio.NewScanner(from)
	say = func(ask string) string {
		fmt.Fprintln(to, ask)
		if !lines.Scan() {
			t.Fatalf("no answer to %q", ask)
		}
		return lines.Text()
	}
	order, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	switch got := say("enter " + string(order)); got {
	case "true":
	case "false":
		t.Skip("this kernel has no Landlock")
	default:
		t.Fatalf("enter: %s", got)
	}
	return say
}

// prisoner does what it is asked, inside.
type prisoner struct{}

func (p prisoner) serve(from io.Reader, to io.Writer) {
	threads := startThreads(8)
	for lines := bufio.NewScanner(from); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		answer, err := "", error(nil)
		if word == "threads" {
			answer = threads.read(rest)
		} else {
			answer, err = p.do(word, rest)
		}
		switch {
		case errors.Is(err, fs.ErrPermission):
			answer = "denied"
		case err != nil:
			answer = err.Error()
		}
		fmt.Fprintln(to, answer)
	}
}

func (p prisoner) do(word, rest string) (answer string, err error) {
	switch word {
	case "enter":
		return p.enter(rest)
	case "read":
		content, err := os.ReadFile(rest)
		return string(content), err
	case "list":
		entries, err := os.ReadDir(rest)
		return fmt.Sprint(len(entries)), err
	case "write":
		return "ok", os.WriteFile(rest, []byte("written"), 0o600)
	case "remove":
		return "ok", os.Remove(rest)
	case "listen":
		_, err := net.Listen("unix", rest) // its file stays to the end
		return "ok", err
	case "dial":
		network, address, _ := strings.Cut(rest, " ")
		_, err := net.Dial(network, address)
		return "ok", err
	case "run":
		return p.run(rest)
	}
	return "what?", nil
}

func (p prisoner) enter(order string) (answer string, err error) {
	var s Sandbox
	if err := json.Unmarshal([]byte(order), &s); err != nil {
		return "", err
	}
	active, err := s.Enter()
	return fmt.Sprint(active), err
}

// run starts a program, whose input is the rest.
func (p prisoner) run(order string) (answer string, err error) {
	program, ask, _ := strings.Cut(order, " ")
	cmd := exec.Command(program)
	cmd.Stdin, cmd.Stderr = strings.NewReader(ask+"\n"), os.Stderr
	said, err := cmd.Output()
	return strings.TrimSpace(string(said)), err
}

// threads of the system that read what they are sent.
type threads struct {
	ready  chan struct{}
	ask    chan string
	denied chan bool
	count  int
}

func startThreads(count int) threads {
	t := threads{make(chan struct{}), make(chan string), make(chan bool), count}
	for range count {
		go t.serve()
		<-t.ready
	}
	return t
}

// serve keeps its thread after one question, so that each gets one.
func (t threads) serve() {
	runtime.LockOSThread()
	t.ready <- struct{}{}
	_, err := os.ReadFile(<-t.ask)
	t.denied <- errors.Is(err, fs.ErrPermission)
	select {}
}

func (t threads) read(name string) string {
	for range t.count {
		t.ask <- name
	}
	denied := 0
	for range t.count {
		if <-t.denied {
			denied++
		}
	}
	return fmt.Sprintf("%d of %d denied", denied, t.count)
}
