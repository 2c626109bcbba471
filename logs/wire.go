package logs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second // nothing waits for it but other records

	// maxDatagram is what is left of a record that the system does not take.
	maxDatagram = 1024
)

// dialer connects to a syslog server.
type dialer struct {
	address Address
	tls     *tls.Config
}

// newDialer reads the file of authorities, if one is named.
func newDialer(a Address) (dialer, error) {
	d := dialer{address: a}
	if a.Network != "tls" {
		return d, nil
	}
	host, _, err := net.SplitHostPort(a.Name)
	if err != nil {
		return d, err
	}
	d.tls = &tls.Config{ServerName: host}
	if a.CA != "" {
		d.tls.RootCAs, err = readAuthorities(a.CA)
	}
	return d, err
}

func readAuthorities(name string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("authorities of the syslog server: %s cannot be read: %w", name, reason(err))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("authorities of the syslog server: %s has no certificate in PEM", name)
	}
	return pool, nil
}

// dial connects; the caller closes the wire. When ctx ends, so does the wire.
func (d dialer) dial(ctx context.Context) (*wire, error) {
	bounded, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	raw, frame, err := d.connect(bounded)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: raw, frame: frame, since: time.Now(), gone: make(chan struct{})}
	w.forget = context.AfterFunc(ctx, func() { raw.Close() })
	if d.tls != nil {
		secure := tls.Client(raw, d.tls)
		if err := secure.HandshakeContext(bounded); err != nil {
			w.forget()
			raw.Close()
			return nil, err
		}
		w.Conn = secure
	}
	if frame == nil {
		close(w.gone)
		return w, nil
	}
	go w.watch()
	return w, nil
}

// connect also tells how records are framed; nil: each is a datagram.
func (d dialer) connect(ctx context.Context) (conn net.Conn, frame func([]byte) []byte, err error) {
	var net net.Dialer
	switch d.address.Network {
	case "unix":
		conn, err = net.DialContext(ctx, "unixgram", d.address.Name)
		if errors.Is(err, syscall.EPROTOTYPE) {
			frame = lineFrame
			conn, err = net.DialContext(ctx, "unix", d.address.Name)
		}
	case "udp":
		conn, err = net.DialContext(ctx, "udp", d.address.Name)
	default: // TLS goes on top
		frame = countedFrame
		conn, err = net.DialContext(ctx, "tcp", d.address.Name)
	}
	return conn, frame, err
}

// lineFrame ends a record with a newline: there is none in it.
func lineFrame(record []byte) []byte { return append(record[:len(record):len(record)], '\n') }

// countedFrame is RFC 6587's octet counting, which is RFC 5425's way, too.
func countedFrame(record []byte) []byte {
	return append(strconv.AppendInt(nil, int64(len(record)), 10), append([]byte{' '}, record...)...)
}

// wire is a connection to a syslog server.
type wire struct {
	net.Conn
	frame  func([]byte) []byte // nil: datagrams
	since  time.Time
	forget func() bool

	gone chan struct{} // closed when the server has left, for a stream
}

// watch finds out that the server leaves, and throws away what it says: it has
// nothing to say. Without it the first record after a restart would be lost.
func (w *wire) watch() {
	defer close(w.gone)
	io.Copy(io.Discard, w.Conn)
}

// over reports whether the server has left.
func (w *wire) over() bool {
	if w.frame == nil {
		return false
	}
	select {
	case <-w.gone:
		return true
	default:
		return false
	}
}

func (w *wire) send(record []byte) error {
	if w.frame != nil {
		return w.write(w.frame(record))
	}
	err := w.write(record)
	if errors.Is(err, syscall.EMSGSIZE) {
		err = w.write(shorten(record, maxDatagram))
	}
	if _, udp := w.Conn.(*net.UDPConn); udp && errors.Is(err, syscall.ECONNREFUSED) {
		// Nobody got an earlier one. To UDP that is no trouble.
		err = w.write(record)
	}
	return err
}

func (w *wire) write(b []byte) error {
	if err := w.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}

// close returns when watch has ended.
func (w *wire) close() {
	w.Close()
	w.forget()
	<-w.gone
}
