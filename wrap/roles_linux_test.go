package wrap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// roles are the programs that the test binary plays; port is the wrapped one,
// the result the exit status.
var roles = map[string]func(port int) int{
	"others":    playOthers,
	"twice":     playTwice,
	"together":  playTogether,
	"threads":   playThreads,
	"late":      playLate,
	"offline":   playOffline,
	"private":   playPrivate,
	"bridge":    playBridge,
	"nested":    playNested,
	"contained": playContained,
	"bench":     playBench,
}

// fail says what went wrong in a role.
func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// bound is a socket of the program bound to port on all addresses; options are
// switched on before.
func bound(family, kind, port int, options ...int) (fd int, err error) {
	if fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0); err != nil {
		return fd, err
	}
	for _, option := range options {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 1)
	}
	if err = bindAny(fd, family, port); err != nil {
		unix.Close(fd)
	}
	return fd, err
}

func bindAny(fd, family, port int) error {
	if family == unix.AF_INET6 {
		return unix.Bind(fd, &unix.SockaddrInet6{Port: port})
	}
	return unix.Bind(fd, &unix.SockaddrInet4{Port: port})
}

// playOthers binds all that must not be moved, and prints where it is.
func playOthers(port int) int {
	udp, err := bound(unix.AF_INET, unix.SOCK_DGRAM, port)
	if err != nil {
		return fail(err)
	}
	free, err := bound(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return fail(err)
	}
	other := int(boundTo(free).Port())
	unix.Close(free)
	tcp, err := bound(unix.AF_INET, unix.SOCK_STREAM, other)
	if err != nil {
		return fail(err)
	}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "a-socket-with-a-name-as-long-as-an-address"))
	if err != nil {
		return fail(err)
	}
	defer l.Close()
	fmt.Println(boundTo(udp).Port() == uint16(port), boundTo(udp).Addr(),
		boundTo(tcp).Port() == uint16(other), boundTo(tcp).Addr())
	return 0
}

// playTwice binds again and again, as programs do that come back.
func playTwice(port int) int {
	first, err := bound(unix.AF_INET, unix.SOCK_STREAM, port)
	if err != nil {
		return fail(err)
	}
	if err := unix.Listen(first, 1); err != nil {
		return fail(err)
	}
	_, while := bound(unix.AF_INET, unix.SOCK_STREAM, port)
	_, reuse := bound(unix.AF_INET, unix.SOCK_STREAM, port, unix.SO_REUSEADDR)
	unix.Close(first)
	again, after := bound(unix.AF_INET, unix.SOCK_STREAM, port)
	fmt.Println("while the first listens:", while)
	fmt.Println("and with SO_REUSEADDR:", reuse)
	fmt.Println("after its end:", after)
	fmt.Println("the same socket again:", bindAny(again, unix.AF_INET, port))
	fmt.Println("the same socket elsewhere:", bindAny(again, unix.AF_INET, port+1))
	fmt.Println("no socket:", bindAny(-1, unix.AF_INET, port))
	return 0
}

// playTogether listens with two sockets of one port.
func playTogether(port int) int {
	for range 2 {
		fd, err := bound(unix.AF_INET6, unix.SOCK_STREAM, port, unix.SO_REUSEPORT)
		if err == nil {
			err = unix.Listen(fd, 1)
		}
		if err != nil {
			return fail(err)
		}
		fmt.Println(boundTo(fd))
	}
	return 0
}

// playThreads binds from 50 threads, 20 times each.
func playThreads(port int) int {
	failures := make(chan error, 50)
	var threads sync.WaitGroup
	for range cap(failures) {
		threads.Go(func() { failures <- bindOften(port, 20) })
	}
	threads.Wait()
	close(failures)
	for err := range failures {
		if err != nil {
			return fail(err)
		}
	}
	return 0
}

func bindOften(port, times int) error {
	runtime.LockOSThread()
	for range times {
		fd, err := bound(unix.AF_INET, unix.SOCK_STREAM, port, unix.SO_REUSEPORT)
		if err != nil {
			return err
		}
		unix.Close(fd)
	}
	return nil
}

// playLate serves once its standard input has ended.
func playLate(port int) int {
	io.Copy(io.Discard, os.Stdin)
	return fail(serveHello(port))
}

func serveHello(port int) error {
	l, err := net.Listen("tcp", fmt.Sprint(":", port))
	for err == nil {
		var conn net.Conn
		if conn, err = l.Accept(); err == nil {
			io.WriteString(conn, "hello\n")
			conn.Close()
		}
	}
	return err
}

// playOffline turns IPv6 off in a network of its own, and wraps "together".
func playOffline(port int) int {
	if err := loopbackUp(); err != nil {
		return fail(err)
	}
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("1"), 0); err != nil {
		return fail(err)
	}
	p, err := Start(context.Background(), Options{
		Command: []string{self}, Port: port, Env: playing("together"), Stdout: os.Stdout, Stderr: os.Stderr,
	})
	if err != nil {
		return fail(err)
	}
	<-p.Done()
	return p.ExitCode()
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// playPrivate forbids to look into it before it binds.
func playPrivate(port int) int {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fail(err)
	}
	_, err := bound(unix.AF_INET, unix.SOCK_STREAM, port)
	fmt.Println(err)
	return 0
}

// playBridge wraps a program that leaves a process in the group and one out of
// it, tells our pid and those of the two, and waits to be killed.
func playBridge(port int) int {
	p, err := Start(context.Background(), Options{
		Command: []string{"sh", "-c", "sleep 1000 & echo $!; setsid sh -c 'echo $$; exec sleep 1000'"},
		Port:    port,
		Stdout:  os.Stdout,
	})
	if err != nil {
		return fail(err)
	}
	<-p.Done()
	return 0
}

// playNested wraps a program inside a wrapped program.
func playNested(port int) int {
	_, err := Start(context.Background(), Options{Command: []string{"true"}, Port: port})
	fmt.Println(errors.Is(err, errors.ErrUnsupported), err)
	return 0
}

// playContained wraps a program under a policy like that of a container, which
// forbids pidfd_getfd.
func playContained(port int) int {
	runtime.LockOSThread()
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: dataNr},
		{Code: unix.BPF_JMP | unix.BPF_K | unix.BPF_JEQ, K: unix.SYS_PIDFD_GETFD, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := confine(program); err != nil {
		return fail(err)
	}
	return playNested(port)
}

// playBench prints what a bind of port costs, and then one of another port.
func playBench(port int) int {
	for _, port := range []int{port, 0} {
		result := testing.Benchmark(func(b *testing.B) {
			for b.Loop() {
				fd, err := bound(unix.AF_INET, unix.SOCK_STREAM, port)
				if err != nil {
					b.Fatal(err)
				}
				unix.Close(fd)
			}
		})
		fmt.Println(result.NsPerOp())
	}
	return 0
}
