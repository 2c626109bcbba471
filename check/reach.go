package check

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/wsbridge/wsbridge/target"
)

// readURL is step 1.
func (v *visit) readURL(context.Context) finding {
	w, err := v.Server()
	if err != nil {
		return fail("%v", err)
	}
	if over, ok := w.Over.(target.TLS); ok {
		v.tls = over.Config
	}
	v.server = w
	f := ok("%s", w)
	if tunnel, ok := v.transport().(target.Tunnel); ok {
		f.detail += " by proxy " + tunnel.Proxy.String()
	}
	return f
}

// resolve is step 2.
func (v *visit) resolve(ctx context.Context) finding {
	tcp, isTCP := v.transport().(target.TCP)
	if !isTCP {
		return skip("nothing to resolve here: %s", v.transport())
	}
	host, _, _ := net.SplitHostPort(tcp.Address) // Parse has put it together
	if _, err := netip.ParseAddr(host); err == nil {
		return skip("%s is an address", host)
	}
	addresses, err := resolver(tcp).LookupHost(ctx, host)
	if err != nil {
		return fail("%s", resolveFault(host, err))
	}
	return ok("%s is %s", host, strings.Join(addresses, ", ")).with(map[string][]string{"addresses": addresses})
}

func resolver(t target.TCP) *net.Resolver {
	if t.Resolver != nil {
		return t.Resolver
	}
	return net.DefaultResolver
}

func resolveFault(host string, err error) string {
	var dns *net.DNSError
	switch {
	case timedOut(err):
		return fmt.Sprintf("no name server answered for %s in time", host)
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("there is no host %s: is it spelt right, and known to this machine's name server or hosts file?", host)
	}
	return fmt.Sprintf("%s: %v", host, err)
}

// reached is one address and what came of connecting to it.
type reached struct {
	Address string  `json:"address"`
	MS      float64 `json:"ms"`
	Error   string  `json:"error,omitempty"`
}

// connect is step 3.
func (v *visit) connect(ctx context.Context) finding {
	tcp, isTCP := v.transport().(target.TCP)
	if v.AllAddrs && isTCP {
		return v.connectAll(ctx, tcp)
	}
	start := time.Now()
	conn, err := v.transport().Dial(ctx)
	if err != nil {
		return fail("%s", connectFault(v.transport().String(), err))
	}
	defer conn.Close()
	at := reached{conn.RemoteAddr().String(), milliseconds(time.Since(start)), ""}
	return ok("connected to %s", v.toWhom(conn)).with(map[string][]reached{"addresses": {at}})
}

func (v *visit) toWhom(conn net.Conn) string {
	if _, isTCP := v.transport().(target.TCP); isTCP {
		return conn.RemoteAddr().String()
	}
	return v.transport().String()
}

// connectAll connects to each address; one that fails makes a warning, all of
// them a failure.
func (v *visit) connectAll(ctx context.Context, tcp target.TCP) finding {
	host, port, _ := net.SplitHostPort(tcp.Address) // Parse has put it together
	hosts, err := resolver(tcp).LookupHost(ctx, host)
	if err != nil {
		return fail("%s", resolveFault(host, err))
	}
	var all []reached
	var good, bad []string
	for i, host := range hosts {
		at := knock(ctx, net.JoinHostPort(host, port), len(hosts)-i)
		all = append(all, at)
		if at.Error == "" {
			good = append(good, fmt.Sprintf("%s (%.1f ms)", at.Address, at.MS))
		} else {
			bad = append(bad, at.Error)
		}
	}
	data := map[string][]reached{"addresses": all}
	if len(good) == 0 {
		return fail("%s", strings.Join(bad, "; ")).with(data)
	}
	return ok("connected to %s", strings.Join(good, ", ")).but(bad...).with(data)
}

// knock connects to one address, in its share of the time that n have.
func knock(ctx context.Context, address string, n int) reached {
	if until, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(until)/time.Duration(n))
		defer cancel()
	}
	start := time.Now()
	conn, err := target.TCP{Address: address}.Dial(ctx)
	if err != nil {
		return reached{address, milliseconds(time.Since(start)), connectFault(address, err)}
	}
	conn.Close()
	return reached{address, milliseconds(time.Since(start)), ""}
}

func connectFault(address string, err error) string {
	var told *target.Error
	switch {
	case errors.As(err, &told):
		return err.Error()
	case errors.Is(err, refused):
		return address + " refused: nothing listens on this port, or a firewall says so"
	case errors.Is(err, hostUnreachable), errors.Is(err, networkUnreachable):
		return address + " cannot be reached: this machine's network has no way there"
	case timedOut(err):
		return address + " does not answer: a firewall drops what is sent there, or the address is wrong"
	}
	return err.Error()
}

// probe is step 4: does the server speak what the URL's scheme says?
func (v *visit) probe(ctx context.Context) finding {
	if v.tls != nil {
		return v.probeTLS(ctx)
	}
	return v.probePlain(ctx)
}

// probeTLS leaves a handshake that succeeds, and one that fails for other
// reasons, to step tls. A server that waits for the end of a line gets half of
// the time.
func (v *visit) probeTLS(ctx context.Context) finding {
	config := v.open()
	v.tickets = &ticketCache{}
	config.ClientSessionCache = v.tickets
	half, cancel := context.WithTimeout(ctx, v.patience/2)
	defer cancel()
	conn, state, err := v.dialTLS(half, config)
	if err == nil {
		v.first, v.state = conn, state
		return ok("the server speaks TLS")
	}
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) {
		return notTLS(plain.RecordHeader[:])
	}
	if heard := v.heardPlain(ctx); strings.HasPrefix(heard, "HTTP/") {
		return notTLS([]byte(heard))
	}
	v.fault = err
	return ok("the server does not speak plain HTTP")
}

func notTLS(first []byte) finding {
	if strings.HasPrefix("HTTP/", string(first[:min(len(first), 5)])) {
		return fail("the server speaks plain ws on this port: try ws://, or turn TLS on in the server")
	}
	return fail("the server speaks neither TLS nor HTTP: it says %q", first)
}

// heardPlain is how the server begins its answer to a plain request.
func (v *visit) heardPlain(ctx context.Context) string {
	conn, err := v.transport().Dial(ctx)
	if err != nil {
		return ""
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", v.server.Host)
	var first [5]byte
	n, _ := io.ReadFull(conn, first[:]) // fewer say enough
	return string(first[:n])
}

// probePlain asks for the upgrade, whose answer is for step upgrade to judge,
// unless it turns out that the server wants TLS. Some say so with a TLS alert,
// some with status 400, and some just leave.
func (v *visit) probePlain(ctx context.Context) finding {
	up, err := v.asking().Dial(ctx)
	v.early = &attempt{up, err}
	var refusal *target.HandshakeError
	if err == nil || errors.As(err, &refusal) && refusal.Status != 400 {
		return ok("the server speaks HTTP")
	}
	if v.speaksTLS(ctx) {
		return fail("the server speaks TLS on this port: try wss://")
	}
	if refusal != nil {
		return ok("the server speaks HTTP")
	}
	return warn("the server did not answer as HTTP")
}

// speaksTLS gives a server that waits for the end of a line half of the time.
func (v *visit) speaksTLS(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, v.patience/2)
	defer cancel()
	conn, _, err := v.dialTLS(ctx, &tls.Config{ServerName: hostOf(v.server.Host), MinVersion: tls.VersionTLS10, InsecureSkipVerify: true})
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// hostOf is the host of a Host header.
func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}
