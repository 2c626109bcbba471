package main

import (
	"fmt"
	"net/http"
	"reflect"
	"sync"

	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/listen"
)

// openACME prepares what obtains certificates; Start is for when somebody
// listens.
func (g *generation) openACME() (err error) {
	c := g.config
	if len(c.ACME) == 0 {
		return nil
	}
	key, err := firstLine(c.ACMEKeyFile)
	if err != nil {
		return fmt.Errorf("--acme-key-file: %w", err)
	}
	settings := listen.ACME{
		Names: c.ACME, Email: c.ACMEEmail, Directory: c.ACMEDirectory, Cache: c.ACMECache, CAFile: c.ACMECA,
		KeyID: c.ACMEKeyID, Key: key, Log: g.log,
	}
	if g.before != nil && g.before.acme.serves(settings) {
		g.acme = g.before.acme
		return nil
	}
	obtained, err := settings.Open()
	if err != nil {
		return &config.UsageError{Msg: "--acme: " + err.Error()}
	}
	g.acme = &authority{Obtained: obtained, settings: settings}
	g.acme.hold()
	g.acme.retire(obtained.Close)
	return nil
}

// authority is who certificates are obtained from. Generations that ask the same
// of it share it; it is closed after the last of them. Nil is none.
type authority struct {
	uses
	*listen.Obtained
	settings listen.ACME
	started  sync.Once
}

// serves is a use, until leave, if a has what settings ask for.
func (a *authority) serves(settings listen.ACME) bool {
	return a != nil && reflect.DeepEqual(a.settings, settings) && a.hold()
}

// start is for when somebody listens.
func (a *authority) start() {
	if a != nil {
		a.started.Do(a.Start)
	}
}

func (a *authority) leave() {
	if a != nil {
		a.release()
	}
}

// obtained is for TLS, which knows no nil authority.
func (a *authority) obtained() *listen.Obtained {
	if a == nil {
		return nil
	}
	return a.Obtained
}

// openProxies believes those in front of us who are to be believed.
func (g *generation) openProxies() error {
	c := g.config
	from, err := listen.ParsePeers(c.ProxyProtocol...)
	if err != nil {
		return &config.UsageError{Msg: "--proxy-protocol: " + err.Error()}
	}
	if !from.None() {
		g.rules.Announced = listen.ProxyProtocol{From: from}.Read
	}
	if from, err = listen.ParsePeers(c.TrustedProxy...); err != nil {
		return &config.UsageError{Msg: "--trusted-proxy: " + err.Error()}
	}
	if from.None() {
		return nil
	}
	g.believed = from
	forwarded := listen.Forwarded{From: from, RFC7239: c.TrustedProxyHeader == "forwarded"}
	g.rules.Identify = func(r *http.Request) *http.Request {
		identified, note := forwarded.Identify(r)
		if note != "" {
			g.log.Warn("a trusted proxy is not understood", "proxy", r.RemoteAddr, "err", note)
		}
		if identified != r { // a copy: routes and reviews go by the name the client used
			identified.Host = listen.OriginOf(identified).Host
		}
		return identified
	}
	return nil
}
