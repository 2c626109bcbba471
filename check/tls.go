package check

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/wsbridge/wsbridge/target"
)

// ticketTime is how long a server may take to hand out a session ticket.
const ticketTime = 500 * time.Millisecond

// tlsData is what step tls tells a program.
type tlsData struct {
	Version    string        `json:"version"`
	Cipher     string        `json:"cipher"`
	Curve      string        `json:"curve,omitempty"`
	ALPN       string        `json:"alpn,omitempty"`
	Resumption bool          `json:"resumption"`
	Chain      []certificate `json:"chain"` // as sent
}

// describeTLS is step 5.
func (v *visit) describeTLS(ctx context.Context) finding {
	if v.tls == nil {
		return skip("not over ws://")
	}
	if v.state == nil {
		return fail("%s", handshakeFault(v.fault))
	}
	resumption, err := v.resumes(ctx)
	if err != nil {
		return fail("%s", handshakeFault(err))
	}
	s, chain := v.state, v.state.PeerCertificates
	data := tlsData{tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite), "", s.NegotiatedProtocol, resumption, describe(chain)}
	words := []string{data.Version, data.Cipher}
	if s.CurveID != 0 {
		data.Curve = s.CurveID.String()
		words = append(words, data.Curve)
	}
	if data.ALPN != "" {
		words = append(words, "ALPN "+data.ALPN)
	}
	if resumption {
		words = append(words, "resumes")
	}
	leaf := data.Chain[0]
	return ok("%s; certificate of %q, %s, %s, %s to %s, %d sent", strings.Join(words, ", "), leaf.Subject, leaf.Key, leaf.Signature,
		leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly), len(chain)).
		but(doubts(chain, time.Now())...).with(data)
}

// handshakeFault has the words for a handshake that failed.
func handshakeFault(err error) string {
	var told *target.Error
	if !errors.As(err, &told) {
		if timedOut(err) {
			return "the server takes the connection and does not answer the TLS handshake"
		}
		return err.Error()
	}
	switch {
	case strings.Contains(err.Error(), "protocol version"):
		return "the server has no TLS version in common with us, who speak 1.2 and 1.3: " + told.Err.Error()
	case told.Reason == "target wants a client certificate":
		return "the server wants a client certificate: --cert FILE --key FILE"
	}
	return told.Error()
}

// ticketCache keeps one session, and says when it came.
type ticketCache struct {
	mu      sync.Mutex
	session *tls.ClientSessionState
	came    func()
}

// Get gives the session whatever the key.
func (c *ticketCache) Get(string) (*tls.ClientSessionState, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session, c.session != nil
}

// Put keeps the newest.
func (c *ticketCache) Put(_ string, session *tls.ClientSessionState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = session
	if c.came != nil && session != nil {
		c.came()
	}
}

// await reads conn until a ticket has come, or for as long as one may take. It
// returns what else came of that: the server may have been waiting for the
// client's certificate, and say only now that there is none (RFC 8446, 4.4.2.4).
func (c *ticketCache) await(conn net.Conn) error {
	conn.SetReadDeadline(time.Now().Add(ticketTime))
	c.mu.Lock()
	c.came = func() { conn.SetReadDeadline(time.Unix(1, 0)) }
	had := c.session != nil
	c.mu.Unlock()
	defer c.forget()
	if had {
		return nil
	}
	_, err := conn.Read(make([]byte, 1)) // nobody has been asked for anything
	return err
}

func (c *ticketCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.came = nil
}

// resumes closes the first connection and tries to go on with its session. The
// error is an alert that came after the handshake.
func (v *visit) resumes(ctx context.Context) (bool, error) {
	err := v.tickets.await(v.first)
	v.first.Close()
	v.first = nil
	var alert *target.Error
	if errors.As(err, &alert) {
		return false, alert
	}
	config := v.open()
	config.ClientSessionCache = v.tickets
	conn, state, err := v.dialTLS(ctx, config)
	if err != nil {
		return false, nil
	}
	conn.Close()
	return state.DidResume, nil
}

// withoutName is step 7: what a client sees that sends no name, as openssl
// s_client does for a host without a dot.
func (v *visit) withoutName(ctx context.Context) finding {
	if v.tls == nil {
		return skip("not over ws://")
	}
	if _, err := netip.ParseAddr(v.tls.ServerName); err == nil {
		return skip("no name is sent for an address")
	}
	config := v.open()
	config.ServerName = ""
	raw, err := v.transport().Dial(ctx)
	if err != nil {
		return warn("%v", err)
	}
	defer raw.Close()
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return warn("without a server name (SNI), the handshake fails: %v; openssl s_client sends none for a host without a dot", err)
	}
	with, without := v.state.PeerCertificates[0], conn.ConnectionState().PeerCertificates[0]
	if sha256.Sum256(with.Raw) != sha256.Sum256(without.Raw) {
		return warn("without a server name (SNI), the certificate is that of %s; openssl s_client sends none for a host without a dot", subject(without))
	}
	return ok("the same certificate without a server name (SNI)")
}

// rangeData is whether a version was accepted.
type rangeData struct {
	Version  string `json:"version"`
	Accepted bool   `json:"accepted"`
}

// tlsRange is step 8.
func (v *visit) tlsRange(ctx context.Context) finding {
	if v.tls == nil || !v.TLSRange {
		return skip("not asked for: --tls-range, with wss://")
	}
	var table []rangeData
	var words, old []string
	for version := uint16(tls.VersionTLS10); version <= tls.VersionTLS13; version++ {
		d := rangeData{tls.VersionName(version), v.accepts(ctx, version)}
		table = append(table, d)
		words = append(words, d.Version+" "+map[bool]string{true: "yes", false: "no"}[d.Accepted])
		if d.Accepted && version < tls.VersionTLS12 {
			old = append(old, d.Version+" is out of use since RFC 8996: turn it off")
		}
	}
	return ok("%s", strings.Join(words, ", ")).but(old...).with(map[string]any{"versions": table})
}

func (v *visit) accepts(ctx context.Context, version uint16) bool {
	config := v.open()
	config.MinVersion, config.MaxVersion = version, version
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		config.CipherSuites = append(config.CipherSuites, suite.ID)
	}
	conn, _, err := v.dialTLS(ctx, config)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// fingerprint is a certificate's SHA-256.
func fingerprint(der []byte) string { return fmt.Sprintf("%x", sha256.Sum256(der)) }
