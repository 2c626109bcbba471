package fme

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/message"
)

// BenchmarkFanOut is a hub with many connections on 100 streams: one message
// after the other, each to a hundredth of them, from the client's frame to the
// last receiver's socket. The receivers are another process. It tells the CPU
// time of the hub's process for each delivered message, and its heap and stacks
// for each connection.
//
//	go test ./hub/fme -run '^$' -bench FanOut -benchtime 1000x
func BenchmarkFanOut(b *testing.B) {
	for _, clients := range []int{2000, 9500} {
		b.Run(strconv.Itoa(clients), func(b *testing.B) { benchFanOut(b, clients, 100) })
	}
}

func benchFanOut(b *testing.B, clients, streams int) {
	s := &Service{Hub: &hub.Hub{}, Options: Options{Rate: -1, Heartbeat: time.Hour}}
	address, stop := serveDetached(b, s)
	defer stop()
	sender := dialCrowd(b, address)
	defer sender.Close()
	for i := range streams {
		wsutil.WriteClientText(sender, fmt.Appendf(nil, `{"ws_op":"open","ws_stream_id":"%d"}`, i))
	}
	warm := startCrowd(b, s, fmt.Sprint(address, " ", streams, " ", streams), 2*streams)
	defer warm()
	before := memory()
	leave := startCrowd(b, s, fmt.Sprint(address, " ", clients, " ", streams), 2*streams+clients)
	defer leave()
	after := memory()

	payload := strings.Repeat("x", 200)
	perMessage := int64((clients + streams) / streams)
	b.ResetTimer()
	start, delivered := cpuTime(), s.Stats().MessagesOut
	for i := range b.N {
		wsutil.WriteClientText(sender, fmt.Appendf(nil, `{"ws_op":"send","ws_stream_id":"%d","ws_msg":"%s"}`, i%streams, payload))
		for s.Stats().MessagesOut-delivered < perMessage*int64(i+1) {
			time.Sleep(2 * time.Millisecond)
		}
	}
	b.ReportMetric(float64((cpuTime()-start).Microseconds())/float64(perMessage*int64(b.N)), "cpu-µs/delivered")
	b.ReportMetric(float64(after-before)/float64(clients), "B/conn")
}

// serveDetached serves as the bridge does: a session is a goroutine of its own
// and owns no buffer while it waits.
func serveDetached(b *testing.B, s *Service) (address string, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var visits sync.WaitGroup
	pool := &sync.Pool{New: func() any { return new([16 << 10]byte) }}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visit, err := s.Admit(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		conn, rw, _, err := ws.HTTPUpgrader{}.Upgrade(r, w)
		if err != nil {
			visit.Leave()
			return
		}
		o := visit.Options()
		o.Early = make([]byte, rw.Reader.Buffered())
		rw.Reader.Read(o.Early)
		raw, _ := conn.(*net.TCPConn).SyscallConn()
		o.Source = &bufferless{raw: raw, pool: pool}
		visits.Go(func() { carry(visit, message.New(conn, o)) })
	})}
	go server.Serve(l)
	return l.Addr().String(), func() { server.Close(); visits.Wait() }
}

// bufferless reads a socket and holds no buffer while it waits.
type bufferless struct {
	raw  syscall.RawConn
	pool *sync.Pool
	buf  *[16 << 10]byte
}

func (s *bufferless) Next() (p []byte, err error) {
	var n int
	waitErr := s.raw.Read(func(fd uintptr) bool {
		s.buf = s.pool.Get().(*[16 << 10]byte)
		if n, err = syscall.Read(int(fd), s.buf[:]); err == syscall.EAGAIN {
			s.Release()
			return false
		}
		return true
	})
	switch {
	case waitErr != nil:
		return nil, waitErr
	case err != nil:
		return nil, err
	case n == 0:
		return nil, io.EOF
	}
	return s.buf[:n], nil
}

func (s *bufferless) Release() {
	s.pool.Put(s.buf)
	s.buf = nil
}

func dialCrowd(b *testing.B, address string) net.Conn {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	if _, _, err = (ws.Dialer{}).Upgrade(conn, mustURL(address)); err != nil {
		b.Fatal(err)
	}
	return conn
}

// startCrowd waits until the hub has so many channels.
func startCrowd(b *testing.B, s *Service, what string, channels int) (leave func()) {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crowdOfTests+"="+what)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	for deadline := time.Now().Add(3 * patienceOfTests); s.Hub.Counts(b.Context()).Total < channels; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("%d of %d channels", s.Hub.Counts(b.Context()).Total, channels)
		}
	}
	return func() { cmd.Process.Kill(); cmd.Wait() }
}

// memory is heap and stacks in bytes, after collections.
func memory() int64 {
	for range 3 { // of finished goroutines' stacks too
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
