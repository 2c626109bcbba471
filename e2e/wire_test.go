//go:build linux

package e2e

import (
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// weather is what a wire does with packets; the zero value lets all pass in order.
type weather struct {
	loss, twice float64 // of packets, each way
	least, most time.Duration
}

// A wire joins two networks by a TUN device in each. Who reads one device and
// writes the other is the weather.
type wire struct {
	here, there *wireEnd
	weather     weather
	lanes       sync.WaitGroup

	lost, doubled, overtaken atomic.Int64
	carried                  atomic.Int64 // bytes, both ways
	largest                  atomic.Int64 // packet, in bytes
}

// A wireEnd is a network with the device wire.
type wireEnd struct {
	*network
	host string
	tun  *os.File
}

// newWire is cut at the test's end. The seed says what becomes of the nth packet.
func newWire(t *testing.T, w weather, seed uint64) *wire {
	t.Helper()
	need(t, "ip", "nsenter", "/dev/net/tun")
	c := &wire{here: newWireEnd(t, "10.9.8.1"), there: newWireEnd(t, "10.9.8.2"), weather: w}
	c.lanes.Go(func() { c.carry(c.here.tun, c.there.tun, rand.New(rand.NewPCG(seed, 1))) })
	c.lanes.Go(func() { c.carry(c.there.tun, c.here.tun, rand.New(rand.NewPCG(seed, 2))) })
	t.Cleanup(func() {
		c.here.tun.Close()
		c.there.tun.Close()
		c.lanes.Wait()
	})
	return c
}

func newWireEnd(t *testing.T, host string) *wireEnd {
	t.Helper()
	e := &wireEnd{network: newNetwork(t), host: host}
	if err := e.within(e.open); err != nil {
		t.Fatalf("a TUN device: %v", err)
	}
	e.ip("address", "add", host+"/24", "dev", "wire")
	e.ip("link", "set", "wire", "up")
	return e
}

// open makes the device. Without an offload the kernel cuts and sums packets itself.
func (e *wireEnd) open() error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	device, err := unix.NewIfreq("wire")
	if err == nil {
		device.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, device)
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	e.tun = os.NewFile(uintptr(fd), "wire") // only now: before, it cannot be waited for
	return nil
}

// carry takes packets until the wire is cut. One that cannot be written, as to a
// link that is down, is lost.
func (c *wire) carry(from, to *os.File, chance *rand.Rand) {
	var due atomic.Int64 // when the packet before this one arrives
	for packet := make([]byte, 1<<16); ; {
		n, err := from.Read(packet)
		if err != nil {
			return
		}
		c.largest.Store(max(c.largest.Load(), int64(n)))
		c.carried.Add(int64(n))
		for range c.copies(chance) {
			c.send(to, append([]byte(nil), packet[:n]...), chance, &due)
		}
	}
}

func (c *wire) copies(chance *rand.Rand) int {
	switch what := chance.Float64(); {
	case what < c.weather.loss:
		c.lost.Add(1)
		return 0
	case what < c.weather.loss+c.weather.twice:
		c.doubled.Add(1)
		return 2
	}
	return 1
}

func (c *wire) send(to *os.File, packet []byte, chance *rand.Rand, due *atomic.Int64) {
	if c.weather.most == 0 {
		to.Write(packet)
		return
	}
	late := c.weather.least + time.Duration(chance.Int64N(int64(c.weather.most-c.weather.least)))
	if at := time.Now().Add(late).UnixNano(); due.Swap(at) > at {
		c.overtaken.Add(1)
	}
	time.AfterFunc(late, func() { to.Write(packet) })
}
