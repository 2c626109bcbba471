package access

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseRate(t *testing.T) {
	for text, want := range map[string]Rate{
		"":                 {},
		"0":                {},
		"10/s":             {10, time.Second, 10},
		" 100/m burst 20 ": {100, time.Minute, 20},
		"5/h":              {5, time.Hour, 5},
		"1/s burst 1":      {1, time.Second, 1},
	} {
		if got, err := ParseRate(text); got != want || err != nil {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"10", "10/", "/s", "10/d", "0/s", "-1/s", "1.5/s", "1000001/s", "10/ s", "ten/s",
		"10/s 20", "10/s burst", "10/s burst 0", "10/s burst x", "10/s burst 20 30", "10/s Burst 20", "10/s\x00",
	} {
		_, err := ParseRate(text)
		wantError(t, text, err, "write ")
	}
}

// A burst, and then no more than the rate; who waits as told gets in.
func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates := &Rates{Rate: Rate{2, time.Second, 3}, Whose: "from your address"}
		for range 3 {
			check(t, rates.Take("ann"))
		}
		for range 5 { // what is refused does not count
			if got := refused(t, rates.Take("ann"), 429, "too many new sessions from your address: try again later").Header.Get("Retry-After"); got != "1" {
				t.Errorf("Retry-After: %s", got)
			}
		}
		check(t, rates.Take("bob"))
		check(t, rates.Take("")) // nobody's
		time.Sleep(500*time.Millisecond - time.Nanosecond)
		refused(t, rates.Take("ann"), 429, "too many new sessions from your address: try again later")
		time.Sleep(time.Nanosecond)
		check(t, rates.Take("ann"))
		refused(t, rates.Take("ann"), 429, "too many new sessions from your address: try again later")

		time.Sleep(time.Hour) // no more than the burst is saved up
		for range 3 {
			check(t, rates.Take("ann"))
		}
		refused(t, rates.Take("ann"), 429, "too many new sessions from your address: try again later")
	})
}

// Over a long time as many get in as the rate says, whoever pushes.
func TestRateInTheLongRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates := &Rates{Rate: Rate{7, time.Minute, 2}}
		in := 0
		for range 600 {
			if rates.Take("ann") == nil {
				in++
			}
			time.Sleep(time.Second)
		}
		if in != 70+2-1 { // the burst, but for the one that is due at the end
			t.Errorf("%d got in", in)
		}
	})
}

// Retry-After is enough, in whole seconds.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for text, want := range map[string]string{"1/s": "1", "100/s burst 1": "1", "1/m": "60", "40/m burst 1": "2", "1/h": "3600"} {
			rate, err := ParseRate(text)
			check(t, err)
			rates := &Rates{Rate: rate}
			check(t, rates.Take("ann"))
			for rates.Take("ann") == nil {
			}
			got := refused(t, rates.Take("ann"), 429, "too many new sessions : try again later").Header.Get("Retry-After")
			if rate.Burst == 1 && got != want {
				t.Errorf("%s: %s", text, got)
			}
			wait, _ := time.ParseDuration(got + "s")
			time.Sleep(wait)
			check(t, rates.Take("ann"))
		}
	})
}

// A reload changes the rate and forgives nobody.
func TestRateChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates := &Rates{Rate: Rate{1, time.Minute, 1}}
		check(t, rates.Take("ann"))
		rates.Limit(Rate{1, time.Second, 1})
		if rates.Take("ann") == nil {
			t.Error("forgiven")
		}
		rates.Limit(Rate{})
		check(t, rates.Take("ann"))
		if (*Rates)(nil).Take("ann") != nil {
			t.Error("nil refuses")
		}
	})
}

// A flood of keys does not grow the table: who was seen longest ago goes, and
// who keeps coming is kept and stays refused.
func TestManyKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates := &Rates{Rate: Rate{1, time.Hour, 1}}
		check(t, rates.Take("first"))
		check(t, rates.Take("busy"))
		for i := range 3 * maxKeys {
			check(t, rates.Take(fmt.Sprintf("2001:db8:%x::/64", i)))
			if i%1000 == 0 && rates.Take("busy") == nil {
				t.Fatal("a key that keeps coming was forgotten")
			}
		}
		if len(rates.keys) != maxKeys || rates.buckets.Len() != maxKeys {
			t.Errorf("%d keys, %d buckets", len(rates.keys), rates.buckets.Len())
		}
		check(t, rates.Take("first")) // forgotten, and let in

		time.Sleep(time.Hour) // now all are as if they had never come
		for i := range maxKeys {
			check(t, rates.Take(fmt.Sprint("later ", i%10)))
			if len(rates.keys) < 20 {
				return
			}
			time.Sleep(time.Hour)
		}
		t.Errorf("%d keys are left, %d of use", len(rates.keys), 10)
	})
}

// The memory that the doc comment states, with the longest keys there are.
func TestMemoryOfKeys(t *testing.T) {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	rates := &Rates{Rate: Rate{1, time.Hour, 1}}
	for i := range maxKeys {
		check(t, rates.Take(fmt.Sprintf("%0*d", 1+i%10_000, i))) // above 64 bytes only a hash is kept
	}
	after := heap()
	each := (after - min(before, after)) / maxKeys
	t.Logf("%d bytes a key", each)
	if len(rates.keys) != maxKeys || each >= 400 {
		t.Errorf("%d keys of %d bytes each", len(rates.keys), each)
	}
}

func TestAddressKey(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7":                "192.0.2.7",
		"::ffff:192.0.2.7":         "192.0.2.7",
		"2001:db8:1:2:3:4:5:6":     "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::":      "2001:db8:1:2::/64",
		"2001:db8:1:3::":           "2001:db8:1:3::/64",
		"fe80::1%eth0":             "fe80::/64",
		"::1":                      "::/64",
		"::ffff:192.0.2.7%whoever": "192.0.2.7",
	} {
		if got := AddressKey(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
	if got := AddressKey(netip.Addr{}); got != "" {
		t.Errorf("no address: %q", got)
	}
}

func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"10/s", "100/m burst 20", "5/h", "0", "1/s burst 1000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rate, err := ParseRate(s)
		if err != nil {
			return
		}
		if again, err := ParseRate(rate.String()); again != rate || err != nil {
			t.Errorf("%q is read as %q, and that as %q, %v", s, rate, again, err)
		}
		if rate.N != 0 && (rate.Burst < 1 || rate.Per/time.Duration(rate.N) <= 0) {
			t.Errorf("%q lets nobody in: %+v", s, rate)
		}
	})
}
