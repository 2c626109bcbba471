package listen

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// checkEvery is how often the files of a certificate are looked at, at most.
const checkEvery = time.Second

// Certificate is a TLS certificate that follows its files. When they change,
// the next handshake shows the new one; while what they hold is broken, the
// old one serves on. Its methods are safe for concurrent use.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	current atomic.Pointer[tls.Certificate] // nil until the first load

	mu        sync.Mutex // held by the one handshake that looks at the files
	next      time.Time  // when to look again
	loaded    files      // what current was read from
	complaint string     // the last trouble logged
}

// LoadCertificate reads the chain in certFile, leaf first, and the private key
// in keyFile, both PEM; with keyFile "" the key is in certFile too. A certFile
// that does not exist yet is no error: it is loaded once it is there. One that
// cannot be used is an error that says what to do. log nil is slog.Default().
func LoadCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{
		certFile: certFile,
		keyFile:  cmp.Or(keyFile, certFile),
		log:      cmp.Or(log, slog.Default()),
		next:     time.Now().Add(checkEvery),
	}
	if absent(certFile) {
		return c, nil
	}
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// TLSConfig is how a server shows the certificate: TLS 1.2 and 1.3, with or
// without SNI, HTTP/1.1 alone (it carries the upgrade), session tickets, and
// full records from the start, because the bridge carries bulk. Call it once:
// tickets of one config are strange to another.
func (c *Certificate) TLSConfig() *tls.Config {
	return &tls.Config{
		GetCertificate:              c.Get,
		MinVersion:                  tls.VersionTLS12,
		NextProtos:                  []string{"http/1.1"},
		DynamicRecordSizingDisabled: true,
	}
}

// Get is a tls.Config's GetCertificate; the hello does not matter. It fails
// as long as there was nothing to load.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.refresh()
	if cert := c.current.Load(); cert != nil {
		return cert, nil
	}
	if absent(c.certFile) {
		return nil, fmt.Errorf("certificate %s not found", c.certFile)
	}
	return nil, fmt.Errorf("certificate %s cannot be used: the log says why", c.certFile)
}

// Present tells whether there is a certificate to show.
func (c *Certificate) Present() bool {
	c.refresh()
	return c.current.Load() != nil
}

// refresh reads the files again if they changed. It waits for no one: while
// another handshake is at it, the certificate at hand is good enough.
func (c *Certificate) refresh() {
	if !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	now := time.Now()
	if now.Before(c.next) {
		return
	}
	c.next = now.Add(checkEvery)
	if c.loaded.unchanged(c.certFile, c.keyFile) {
		c.complaint = ""
		return
	}
	if err := c.load(); err != nil {
		c.complain(err)
		return
	}
	c.complaint = ""
	c.log.Info("certificate loaded", "file", c.certFile, "expires", c.current.Load().Leaf.NotAfter)
}

// load makes what the files hold the current certificate.
func (c *Certificate) load() error {
	// Asked before reading, so that a later change is seen as one.
	asked, err := statFiles(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	cert, err := readPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.loaded = asked
	c.current.Store(cert)
	return nil
}

// complain logs err unless it is known. Waiting for the first certificate is
// no trouble.
func (c *Certificate) complain(err error) {
	waiting := c.current.Load() == nil
	if waiting && absent(c.certFile) || err.Error() == c.complaint {
		return
	}
	c.complaint = err.Error()
	if waiting {
		c.log.Error("certificate cannot be used", "error", err)
		return
	}
	c.log.Error("new certificate cannot be used, the old one stays", "error", err)
}

func absent(name string) bool {
	_, err := os.Stat(name)
	return errors.Is(err, fs.ErrNotExist)
}

// files tells the versions of two files apart.
type files struct{ cert, key fs.FileInfo }

func statFiles(certFile, keyFile string) (files, error) {
	cert, err := statRegular("certificate", certFile)
	if err != nil {
		return files{}, err
	}
	key, err := statRegular("key", keyFile)
	return files{cert, key}, err
}

// statRegular refuses what would make a handshake wait, such as a FIFO.
func statRegular(what, name string) (fs.FileInfo, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &plainError{fmt.Sprintf("%s %s not found", what, name), err}
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", what, name, reason(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s %s is not a regular file", what, name)
	}
	return info, nil
}

func (f files) unchanged(certFile, keyFile string) bool {
	now, err := statFiles(certFile, keyFile)
	return err == nil && same(f.cert, now.cert) && same(f.key, now.key)
}

func same(a, b fs.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
