package policy

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	guessBurst   = 10   // wrong guesses at once
	guessRate    = 1    // and then per second
	maxAddresses = 8192 // remembered
)

// guesses slows down who guesses wrong, by address. The zero value is ready.
type guesses struct {
	mu      sync.Mutex
	clients map[string]*rate.Limiter // only those that have guessed wrong
}

// wait is how long an address must wait until it may guess again.
func (g *guesses) wait(address string, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	l, ok := g.clients[client(address)]
	if !ok {
		return 0
	}
	missing := 1 - l.TokensAt(now)
	return max(0, time.Duration(missing/guessRate*float64(time.Second)))
}

// add counts a wrong guess. Guesses made at the same time are owed all.
func (g *guesses) add(address string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := client(address)
	l, ok := g.clients[key]
	if !ok {
		g.makeRoom(now)
		l = rate.NewLimiter(guessRate, guessBurst)
		g.clients[key] = l
	}
	l.ReserveN(now, 1)
}

// makeRoom forgets who owes nothing any more; if all owe, who owes least.
func (g *guesses) makeRoom(now time.Time) {
	if g.clients == nil {
		g.clients = map[string]*rate.Limiter{}
	}
	if len(g.clients) < maxAddresses {
		return
	}
	least, most := "", -1e18
	for key, l := range g.clients {
		tokens := l.TokensAt(now)
		if tokens >= guessBurst {
			delete(g.clients, key)
		} else if tokens > most {
			least, most = key, tokens
		}
	}
	if len(g.clients) >= maxAddresses {
		delete(g.clients, least)
	}
}

// client is whom an address stands for: one host, or one IPv6 network.
func client(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if prefix, err := ip.Prefix(64); err == nil && ip.Is6() {
		return prefix.String()
	}
	return ip.String()
}
