package target

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"reflect"
	"syscall"
)

// Error is a target that could not be opened, or failed later, for a reason
// that the person at the other end can be told.
type Error struct {
	Reason string // a few words, at most 60 bytes, without addresses and paths
	Err    error  // the whole story, for the log
}

func (e *Error) Error() string { return e.Reason + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// CloseReason is the Reason, fit for a WebSocket Close frame. Whoever closes
// the client looks for this method with errors.As, before any other cause.
func (e *Error) CloseReason() string { return e.Reason }

// explain makes an *Error of err where reason has a word for it.
func explain(err error, reason func(error) string) error {
	if err == nil || err == io.EOF || isTimeout(err) {
		return err
	}
	if r := reason(err); r != "" {
		return &Error{r, err}
	}
	return err
}

func isTimeout(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

func unixReason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "target socket not found"
	case errors.Is(err, fs.ErrPermission):
		return "target socket may not be used"
	case errors.Is(err, syscall.ENOTSOCK), errors.Is(err, syscall.EPROTOTYPE):
		return "target is no stream socket"
	}
	return ""
}

// tlsReason has a word for what the handshake fails by, and for what the
// target says only after it: TLS 1.3 asks for the certificate of a client that
// is done already.
func tlsReason(err error) string {
	var (
		certificate *tls.CertificateVerificationError
		noTLS       tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &certificate):
		return certificateReason(certificate.Err)
	case errors.As(err, &noTLS):
		return "target does not speak TLS"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "target broke off TLS"
	}
	return alertReason(alertOf(err))
}

// alertOf is the number of the alert that the target sent, or 0, which is no
// error. crypto/tls keeps its type to itself.
func alertOf(err error) uint64 {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return 0
	}
	if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
		return v.Uint()
	}
	return 0
}

func certificateReason(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &unknown):
		return "target certificate is not trusted"
	case errors.As(err, &name):
		return "target certificate is for another name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "target certificate has expired or is not valid yet"
	}
	return "target certificate cannot be used"
}

// alertReason tells the alerts (RFC 8446, 6.2) that are about the client's
// certificate from the others.
func alertReason(alert uint64) string {
	switch alert {
	case 0:
		return ""
	case 41, 116: // no certificate (SSL 3), certificate required
		return "target wants a client certificate"
	case 42, 43, 44, 45, 46, 48, 49: // bad, unsupported, revoked, expired, unknown certificate; unknown CA, access denied
		return "target refused the client certificate"
	}
	return "target refused TLS"
}
