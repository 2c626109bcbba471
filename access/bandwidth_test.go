package access

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseBandwidth(t *testing.T) {
	for text, want := range map[string]int64{
		"": 0, "0": 0, "0M": 0, "65536": 65536, "512K": 512 << 10, "512k/s": 512 << 10, "1M": 1 << 20, " 1M/s ": 1 << 20, "1MiB": 1 << 20,
		"1.5M": 3 << 19, "1MB": 1_000_000, "1kB/s": 1000, "2G": 2 << 30, "100B/s": 100, "10Mbit": 1_250_000, "10Mbit/s": 1_250_000,
		"1Gbit": 125_000_000, "56kbit": 7000, "8bit": 1, "1024T": 1 << 50,
	} {
		if got, err := ParseBandwidth(text); got != want || err != nil {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
	for text, says := range map[string]string{
		"fast": `"t" is no unit`, "slow": `"slow" is no number`, "M": `"" is no number`, "-1M": `"-1" is no number`, "1 M": `"1 " is no number`, "1e6": `"1e6" is no number`,
		"1mb": `"mb" is no unit`, "10mbit": `"mbit" is no unit`, "10Mb": `"Mb" is no unit`, "10Mbps": "is no number", "InfM": "is no number",
		"0x10": "is no number", "1.2.3K": "is no number", "0.1": "it is less than a byte", "1bit": "it is less than a byte",
		"1025T": "it is more than 1024 TiB", "1M/m": "is no number", strings.Repeat("9", 400): "is no number",
	} {
		_, err := ParseBandwidth(text)
		wantError(t, text, err, says)
		wantError(t, text, err, "write 512K, 1M or 10Mbit, each a second")
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "10G": 10 << 30, "500MB": 500_000_000, "1": 1} {
		if got, err := ParseBytes(text); got != want || err != nil {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"10Mbit", "1M/s", "-1", "many"} {
		_, err := ParseBytes(text)
		wantError(t, text, err, "write 500M or 10G")
	}
}

// about holds a time against what the rate says: the slack at the beginning and
// one piece at the end are not waited for.
func about(t *testing.T, what string, took, want time.Duration) {
	t.Helper()
	if took > want || took < want-2*slack-10*time.Millisecond {
		t.Errorf("%s took %v, want about %v", what, took, want)
	}
}

// noise is n seeded random bytes.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// Both ways at once, each at the rate, whatever the sizes of reads and writes;
// every byte arrives, in order. The clock is synctest's.
func TestBandwidth(t *testing.T) {
	for _, rate := range []int64{1000, 64 << 10, 1 << 20, 1 << 30} {
		for _, step := range []int{1 << 20, 1500, 100} {
			synctest.Test(t, func(t *testing.T) {
				bridge, service := pipe(t)
				c := Allowance{PerSession: rate}.Wrap(bridge, "", "")
				began, data := time.Now(), noise(int(rate)*4&(1<<20-1)|1<<14)
				seconds := time.Duration(float64(len(data)) / float64(rate) * float64(time.Second))
				echoed := make(chan []byte)
				go func() {
					got := make([]byte, len(data))
					io.ReadFull(service, got)
					about(t, "to the target", time.Since(began), seconds)
					echoed <- got
				}()
				go func() {
					for rest := data; len(rest) > 0; rest = rest[min(len(rest), step):] {
						c.Write(rest[:min(len(rest), step)])
					}
				}()
				go service.Write(data)
				got := make([]byte, len(data))
				for n := 0; n < len(got); {
					m, err := c.Read(got[n:min(len(got), n+step)])
					check(t, err)
					n += m
				}
				about(t, "to the client", time.Since(began), seconds)
				if !bytes.Equal(got, data) || !bytes.Equal(<-echoed, data) {
					t.Error("bytes differ")
				}
				c.Close()
			})
		}
	}
}

// A key pressed after a pause does not wait, nor is a long pause saved up.
func TestBandwidthAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bridge, service := pipe(t)
		go io.Copy(io.Discard, service)
		c := Allowance{PerSession: 10_000}.Wrap(bridge, "", "")
		defer c.Close()
		for range 5 {
			began := time.Now()
			c.Write([]byte("k"))
			if took := time.Since(began); took != 0 {
				t.Errorf("a key took %v", took)
			}
			time.Sleep(time.Hour)
		}
		began := time.Now()
		c.Write(noise(100_000))
		about(t, "a lot after a pause", time.Since(began), 10*time.Second)
		service.Close()
	})
}

// Sessions of one user share; another user has a share of their own.
func TestSharedBandwidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := &Shares{}
		users.Limit(100_000)
		a := Allowance{PerUser: users, PerAddress: &Shares{}}
		read := func(user string, done chan<- time.Duration) {
			bridge, service := pipe(t)
			c := a.Wrap(bridge, user, "192.0.2.1")
			go func() { service.Write(noise(100_000)); service.Close() }()
			go func() {
				began := time.Now()
				if n, err := io.Copy(io.Discard, c); n != 100_000 || err != nil {
					t.Errorf("%s: %d bytes, %v", user, n, err)
				}
				done <- time.Since(began)
				c.Close()
			}()
		}
		ann, bob := make(chan time.Duration), make(chan time.Duration)
		for range 3 {
			read("ann", ann)
		}
		read("bob", bob)
		about(t, "bob's one", <-bob, time.Second)
		for range 3 {
			if took := <-ann; took > 3*time.Second || took < 2500*time.Millisecond {
				t.Errorf("one of ann's three took %v", took)
			}
		}
		synctest.Wait()
		if len(users.keys) != 0 {
			t.Errorf("shares left: %v", users.keys)
		}
	})
}

// The narrowest of the three counts.
func TestNarrowest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wide, narrow := &Shares{}, &Shares{}
		wide.Limit(1 << 30)
		narrow.Limit(50_000)
		bridge, service := pipe(t)
		c := Allowance{PerSession: 1 << 20, PerUser: wide, PerAddress: narrow}.Wrap(bridge, "ann", "192.0.2.1")
		defer c.Close()
		go io.Copy(io.Discard, service)
		began := time.Now()
		c.Write(noise(100_000))
		about(t, "two seconds' worth", time.Since(began), 2*time.Second)
		narrow.Limit(100_000) // a reload reaches live sessions
		began = time.Now()
		c.Write(noise(100_000))
		about(t, "one second's worth", time.Since(began), time.Second)
		narrow.Limit(0)
		began = time.Now()
		c.Write(noise(100_000))
		about(t, "a tenth's worth", time.Since(began), 100*time.Millisecond)
		service.Close()
	})
}

// Without a limit there is nothing in the way of the event loop.
func TestNoAllowance(t *testing.T) {
	bridge, _ := pipe(t)
	if c := (Allowance{PerUser: &Shares{}, PerAddress: nil}).Wrap(bridge, "ann", "192.0.2.1"); c != bridge {
		t.Errorf("got %T", c)
	}
	named := &Shares{}
	named.Limit(1)
	if c := (Allowance{PerUser: named}).Wrap(bridge, "", ""); c != bridge {
		t.Errorf("got %T for nobody known", c)
	}
}

func FuzzParseBandwidth(f *testing.F) {
	for _, s := range []string{"1M", "512K/s", "10Mbit", "1.5GB", "0", "1e9", "-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseBandwidth(s)
		if n < 0 || n > math.MaxInt64>>13 || err != nil && n != 0 {
			t.Errorf("%q: %d, %v", s, n, err)
		}
		if m, err := ParseBytes(s); err == nil && m != n {
			t.Errorf("%q: %d bytes, and %d a second", s, m, n)
		}
	})
}
