package listen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// Obtained are certificates that an authority gives for names, and renews when
// a third of their time is left, or a month. They are for clients that know ECDSA, as all
// have for ten years. Its methods are safe for concurrent use.
type Obtained struct {
	names   []string
	ready   map[string]*atomic.Bool // the manager has a certificate at hand
	manager *autocert.Manager
	cache   autocert.Cache
	wire    *wire
	log     *slog.Logger
	done    chan struct{}
	once    sync.Once
	running sync.WaitGroup
}

// Authorities count failures: five an hour for a name is what Let's Encrypt
// bears.
const (
	firstRetry = 2 * time.Minute
	lastRetry  = time.Hour
	lookEvery  = time.Hour

	lateRenewal = 15 * 24 * time.Hour // half of when the manager begins
)

func newObtained(names []string, log *slog.Logger) *Obtained {
	o := &Obtained{names: names, ready: map[string]*atomic.Bool{}, log: log, done: make(chan struct{})}
	o.wire = &wire{closed: o.done}
	for _, name := range names {
		o.ready[name] = new(atomic.Bool)
	}
	return o
}

// Start has what the cache holds at hand when it returns. Then it obtains the
// rest, one name after the other, and tries again what fails, after minutes at
// first and later every hour. The log says what comes of it. It is for when
// somebody listens: the authority will call.
func (o *Obtained) Start() {
	for _, name := range o.names {
		o.recall(name)
	}
	o.running.Go(o.maintain)
}

// Close asks the authority for nothing more. It does not wait for an answer that
// is on its way.
func (o *Obtained) Close() { o.once.Do(func() { close(o.done) }) }

// Names are those that there are, or will be, certificates for.
func (o *Obtained) Names() []string { return slices.Clone(o.names) }

// Has tells whether name is one of them.
func (o *Obtained) Has(name string) bool { return o.ready[canonical(name)] != nil }

// Get is a tls.Config's GetCertificate. It never waits for the authority. A
// client that asks for no name gets the first.
func (o *Obtained) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := canonical(hello.ServerName)
	if name == "" {
		name = o.names[0]
	}
	switch ready := o.ready[name]; {
	case ready == nil:
		return nil, fmt.Errorf("there is no certificate for %.100q: it is not among the names", hello.ServerName)
	case !ready.Load():
		return nil, fmt.Errorf("the certificate for %s has not been obtained yet", name)
	}
	return o.certificate(name)
}

func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// certificate asks the manager as a client would that knows ECDSA, so that there
// is one certificate for a name, whoever comes.
func (o *Obtained) certificate(name string) (*tls.Certificate, error) {
	return o.manager.GetCertificate(&tls.ClientHelloInfo{
		ServerName:   name,
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	})
}

// answerChallenges lets the authority find what it looks for (RFC 8737, 3),
// whatever config asks of other clients.
func (o *Obtained) answerChallenges(config *tls.Config) {
	challenge := &tls.Config{
		GetCertificate:         o.manager.GetCertificate,
		NextProtos:             []string{acme.ALPNProto},
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: true,
	}
	usual := config.GetConfigForClient
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		switch {
		case len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acme.ALPNProto:
			return challenge, nil
		case usual != nil:
			return usual(hello)
		}
		return nil, nil
	}
}

// recall makes name ready if its certificate is in the cache and still good:
// then the manager asks nobody for it.
func (o *Obtained) recall(name string) {
	data, err := o.cache.Get(context.Background(), name)
	if err != nil {
		return
	}
	cert, err := tls.X509KeyPair(data, data)
	if err != nil {
		o.log.Warn("certificate in the ACME cache cannot be used", "name", name, "err", err)
		return
	}
	now := time.Now()
	if now.Before(cert.Leaf.NotBefore) || now.After(cert.Leaf.NotAfter) || cert.Leaf.VerifyHostname(name) != nil || cert.Leaf.PublicKeyAlgorithm != x509.ECDSA {
		return
	}
	o.obtain(name)
}

func (o *Obtained) obtain(name string) error {
	_, err := o.certificate(name)
	if err == nil {
		o.ready[name].Store(true)
	}
	return err
}

// maintain obtains certificates and looks after their renewal until Close.
func (o *Obtained) maintain() {
	for retry := firstRetry; ; {
		wait := lookEvery
		if !o.round(retry) {
			wait, retry = retry, min(2*retry, lastRetry)
		}
		select {
		case <-o.done:
			return
		case <-time.After(wait):
		}
	}
}

// round is false if a certificate is still missing.
func (o *Obtained) round(retry time.Duration) (all bool) {
	all = true
	for _, name := range o.names {
		select {
		case <-o.done:
			return false
		default:
		}
		if o.ready[name].Load() {
			o.checkRenewal(name)
		} else if err := o.obtain(name); err != nil {
			all = false
			o.log.Error("certificate not obtained", "name", name, "err", err, "retry_in", retry)
		}
	}
	return all
}

// checkRenewal complains of a certificate that should have been renewed: the
// manager does that by itself, and says nothing.
func (o *Obtained) checkRenewal(name string) {
	cert, err := o.certificate(name)
	if err != nil {
		o.log.Error("certificate cannot be used", "name", name, "err", err)
		return
	}
	leaf := cert.Leaf
	if late := min(leaf.NotAfter.Sub(leaf.NotBefore)/6, lateRenewal); time.Until(leaf.NotAfter) < late {
		o.log.Warn("certificate not renewed yet", "name", name, "expires", leaf.NotAfter, "err", o.wire.lastRefusal())
	}
}

// reporting tells the log what the manager puts into the cache.
type reporting struct {
	autocert.Cache
	o *Obtained
}

func (r reporting) Put(ctx context.Context, key string, data []byte) error {
	err := r.Cache.Put(ctx, key, data)
	switch cert, pairErr := tls.X509KeyPair(data, data); {
	case err != nil:
		r.o.log.Error("ACME cache cannot be written", "err", err)
	case pairErr == nil && r.o.Has(key):
		r.o.wire.forget()
		r.o.log.Info("certificate obtained", "name", key, "expires", cert.Leaf.NotAfter)
	}
	return err
}
