package access

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Rate is how often something may happen. The zero value is no limit.
type Rate struct {
	N     int           // times
	Per   time.Duration // in this time
	Burst int           // and so often at once
}

const maxTimes = 1_000_000 // in a rate, and in a burst

// ParseRate reads "10/s", "100/m" or "5/h", with "burst 20" behind it or without:
// then as many may come at once as in that time. "" and "0" are no limit.
func ParseRate(s string) (Rate, error) {
	if s = strings.TrimSpace(s); s == "" || s == "0" {
		return Rate{}, nil
	}
	words := strings.Fields(s)
	text, unit, _ := strings.Cut(words[0], "/")
	rate := Rate{Per: map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]}
	var err error
	if rate.N, err = parseTimes(text); err != nil || rate.Per == 0 {
		return Rate{}, fmt.Errorf("rate %q: write a number from 1 to %d and /s, /m or /h, as in 10/s", clip(s), maxTimes)
	}
	rate.Burst = rate.N
	switch {
	case len(words) == 1:
		return rate, nil
	case len(words) == 3 && words[1] == "burst":
		if rate.Burst, err = parseTimes(words[2]); err == nil {
			return rate, nil
		}
	}
	return Rate{}, fmt.Errorf("rate %q: behind the rate there may be burst and a number from 1 to %d: write %s burst 20", clip(s), maxTimes, words[0])
}

func parseTimes(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err == nil && (n == 0 || n > maxTimes) {
		err = errors.New("out of range")
	}
	return int(n), err
}

// String is what ParseRate reads back.
func (r Rate) String() string {
	unit := map[time.Duration]string{time.Second: "s", time.Minute: "m", time.Hour: "h"}[r.Per]
	switch {
	case r.N == 0:
		return "0"
	case r.Burst == r.N:
		return fmt.Sprintf("%d/%s", r.N, unit)
	}
	return fmt.Sprintf("%d/%s burst %d", r.N, unit, r.Burst)
}

const (
	maxKeys      = 16384 // remembered by Rates
	maxKeyLength = 64    // bytes; of a longer key the hash is remembered
)

// Rates limits how often each key may begin something: a client address, as
// AddressKey has it, or a user. A nil Rates has no limit.
//
// 16384 keys are remembered in at most 6 MB: less than 400 bytes for each. When
// there are more, the one seen longest ago is forgotten, as is one that has not
// been seen for so long that its whole burst is there again.
type Rates struct {
	// Rate is the limit at first; see Limit.
	Rate Rate
	// Whose ends the refusal: "from your address", "of your user".
	Whose string

	mu      sync.Mutex
	keys    map[string]*list.Element
	buckets list.List // of *bucket; the one seen last in front
}

// bucket is full at a time and always fills. (A generic cell rate algorithm,
// ITU-T I.371: one time in place of tokens and when they were counted.)
type bucket struct {
	key  string
	full time.Time
}

// Limit changes the rate from now on; who has used up theirs must still wait.
func (rs *Rates) Limit(rate Rate) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.Rate = rate
}

// Take counts one for key, or tells with a *Refusal (429) when to come again.
// What is refused does not count. An empty key has no limit.
func (rs *Rates) Take(key string) error {
	if rs == nil || key == "" {
		return nil
	}
	wait := rs.take(shorten(key), time.Now())
	if wait == 0 {
		return nil
	}
	seconds := strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
	return &Refusal{
		Status: http.StatusTooManyRequests,
		Reason: "too many new sessions " + rs.Whose + ": try again later",
		Header: http.Header{"Retry-After": {seconds}},
	}
}

// take is 0 when one was counted, and else how long it is until one can be.
func (rs *Rates) take(key string, now time.Time) (wait time.Duration) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.Rate.N == 0 {
		return 0
	}
	each := rs.Rate.Per / time.Duration(rs.Rate.N)
	b := rs.bucket(key, now)
	full := later(b.full, now).Add(each)
	if wait = full.Sub(now) - time.Duration(rs.Rate.Burst)*each; wait > 0 {
		return wait
	}
	b.full = full
	return 0
}

// bucket is key's, which becomes the one seen last.
func (rs *Rates) bucket(key string, now time.Time) *bucket {
	rs.forgetFull(now)
	if e, ok := rs.keys[key]; ok {
		rs.buckets.MoveToFront(e)
		return e.Value.(*bucket)
	}
	if len(rs.keys) >= maxKeys {
		rs.forget(rs.buckets.Back())
	}
	if rs.keys == nil {
		rs.keys = map[string]*list.Element{}
	}
	b := &bucket{key: key}
	rs.keys[key] = rs.buckets.PushFront(b)
	return b
}

// forgetFull forgets who owes nothing any more: up to two for each that comes,
// so that the table shrinks after a flood.
func (rs *Rates) forgetFull(now time.Time) {
	for range 2 {
		last := rs.buckets.Back()
		if last == nil || last.Value.(*bucket).full.After(now) {
			return
		}
		rs.forget(last)
	}
}

func (rs *Rates) forget(e *list.Element) {
	delete(rs.keys, e.Value.(*bucket).key)
	rs.buckets.Remove(e)
}

// AddressKey is whom an address stands for: one host, or an IPv6 network of 64
// bits, of which one customer has at least one. "" without an address.
func AddressKey(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return ""
	}
	if network, err := a.Prefix(64); err == nil && a.Is6() {
		return network.String()
	}
	return a.String()
}

func shorten(key string) string {
	if len(key) <= maxKeyLength {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
