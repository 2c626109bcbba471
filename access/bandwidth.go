package access

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Allowance is what a session may take of its target. A zero field is no limit.
type Allowance struct {
	PerSession int64         // bytes per second, each way
	PerUser    *Shares       // of all sessions of one user
	PerAddress *Shares       // of all sessions of one client address
	MaxBytes   int64         // both ways together
	MaxTime    time.Duration // from Wrap on
}

// Wrap returns target so that it keeps to the allowance of a session of user,
// from a client by its AddressKey; an empty name has no share. The caller closes
// what is returned instead of target. Without a limit it is target itself.
//
// Bytes over the limit wait, and none is dropped. No more than 64 KiB, or what a
// twentieth of a second carries if that is less, goes at once. A deadline, and
// Close, end the wait; a Read that was ended has lost nothing. MaxBytes ends the
// session at the first Read or Write after so many bytes, MaxTime at once: with
// an *Error from both. There is no goroutine, and no timer but while a Read or
// Write waits.
//
// Such a session is carried by goroutines, and every byte is copied: its target
// is no plain socket that an event loop or splice(2) could take.
func (a Allowance) Wrap(target net.Conn, user, address string) net.Conn {
	c := &slow{Conn: target}
	if a.PerSession > 0 {
		c.join(newShare(a.PerSession))
	}
	c.join(a.PerUser.join(user))
	c.join(a.PerAddress.join(address))
	if len(c.shares) == 0 && a.MaxBytes == 0 && a.MaxTime == 0 {
		return target
	}
	if a.MaxBytes > 0 {
		c.bytes = a.MaxBytes
		c.left.Store(a.MaxBytes)
	}
	if a.MaxTime > 0 {
		c.end = time.Now().Add(a.MaxTime)
		c.SetDeadline(time.Time{})
	}
	return c
}

// Shares is bandwidth that all sessions of one key have together: their pieces
// stand in one line. The zero value has no limit, as nil has none.
type Shares struct {
	mu   sync.Mutex
	rate int64
	keys map[string]*share // only those that have a session
}

// Limit is bytes per second each way for each key, from now on; 0: no limit.
// Sessions that began without one keep none.
func (s *Shares) Limit(rate int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rate = rate
	for _, each := range s.keys {
		each.rate.Store(rate)
	}
}

// join is nil where there is no limit.
func (s *Shares) join(key string) *share {
	if s == nil || key == "" {
		return nil
	}
	key = shorten(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rate == 0 {
		return nil
	}
	each, ok := s.keys[key]
	if !ok {
		each = newShare(s.rate)
		each.leave = func() { s.leave(key) }
		if s.keys == nil {
			s.keys = map[string]*share{}
		}
		s.keys[key] = each
	}
	each.sessions++
	return each
}

func (s *Shares) leave(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[key].sessions--; s.keys[key].sessions == 0 {
		delete(s.keys, key)
	}
}

// share is the bandwidth of one session, or of some together.
type share struct {
	rate               atomic.Int64 // bytes per second, of each direction; 0: no limit
	toTarget, toClient line
	sessions           int    // guarded by its Shares
	leave              func() // may be nil
}

func newShare(rate int64) *share {
	s := &share{}
	s.rate.Store(rate)
	return s
}

// line is one direction of a share: bytes stand in line for it.
type line struct {
	mu   sync.Mutex
	next time.Time // when all that stood in line have passed
}

// slack is what of a pause counts for bytes that come after it. It makes good
// for timers, which ring late.
const slack = 50 * time.Millisecond

// pass takes n bytes, at rate, and says when others may follow.
func (l *line) pass(n int, rate int64) time.Time {
	if rate == 0 {
		return time.Time{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = later(l.next, time.Now().Add(-slack)).Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	return l.next
}

// ParseBandwidth reads bytes per second: "65536", "512K" or "1.5M/s" in powers
// of 1024, "1MB" in powers of 1000, and "10Mbit" in bits. "" and "0" are no
// limit.
func ParseBandwidth(s string) (int64, error) {
	n, err := parseQuantity(strings.TrimSuffix(strings.TrimSpace(s), "/s"), true)
	if err != nil {
		return 0, fmt.Errorf("bandwidth %q: %w: write 512K, 1M or 10Mbit, each a second", clip(s), err)
	}
	return n, nil
}

// ParseBytes reads a number of bytes as ParseBandwidth does, but none of bits.
func ParseBytes(s string) (int64, error) {
	n, err := parseQuantity(strings.TrimSpace(s), false)
	if err != nil {
		return 0, fmt.Errorf("bytes %q: %w: write 500M or 10G", clip(s), err)
	}
	return n, nil
}

// units in bytes; a small letter is not accepted where it could be meant for
// bits.
var units = map[string]float64{
	"": 1, "B": 1,
	"k": 1 << 10, "m": 1 << 20, "g": 1 << 30,
	"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	"kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
}

var bitUnits = map[string]float64{"bit": 1. / 8, "kbit": 1e3 / 8, "Kbit": 1e3 / 8, "Mbit": 1e6 / 8, "Gbit": 1e9 / 8}

const maxQuantity = 1 << 50 // bytes

func parseQuantity(s string, bits bool) (int64, error) {
	number := strings.TrimRight(s, "bBitkKmMgGT")
	unit := s[len(number):]
	size, ok := units[unit]
	if !ok && bits {
		size, ok = bitUnits[unit]
	}
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(number, 64)
	n = math.Round(n * size)
	switch {
	case !ok:
		return 0, fmt.Errorf("%q is no unit", clip(unit))
	case err != nil || strings.Trim(number, "0123456789.") != "":
		return 0, fmt.Errorf("%q is no number", clip(number))
	case n > maxQuantity:
		return 0, fmt.Errorf("it is more than %d TiB", int64(maxQuantity)>>40)
	case n == 0 && strings.Trim(number, "0.") != "":
		return 0, fmt.Errorf("it is less than a byte")
	}
	return int64(n), nil
}
