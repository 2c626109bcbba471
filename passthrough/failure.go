package passthrough

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"

	"github.com/wsbridge/wsbridge/target"
)

// failure is why the target did not answer the upgrade, and what the client is
// told in its stead.
type failure struct {
	status int    // 0: nobody is there to be told
	by     string // "": the target
	reason string // one line for the person at the other end
	err    error  // the whole story, for the log
}

func (f *failure) Error() string { return fmt.Sprintf("%s: %v", f.reason, f.err) }

// answer tells the client, and that this was all.
func (f *failure) answer(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Connection", "close")
	h.Set("X-Content-Type-Options", "nosniff")
	if f.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	http.Error(w, f.reason, f.status)
}

// dialFailure is a target that could not be connected.
func (t *Target) dialFailure(err error) *failure {
	var (
		told *target.Error
		name *net.DNSError
	)
	bad := func(reason string) *failure {
		return &failure{status: http.StatusBadGateway, reason: reason, err: err}
	}
	switch {
	case errors.As(err, &told):
		return &failure{status: http.StatusBadGateway, reason: told.Reason, err: noTLS(err)}
	case errors.As(err, &name) && !name.IsTimeout:
		return bad("target name not found")
	case errors.Is(err, syscall.ECONNREFUSED):
		f := bad("target refused the connection")
		if t.RefusedStatus != 0 {
			f.status = t.RefusedStatus
		}
		return f
	case timedOut(err):
		return &failure{status: http.StatusGatewayTimeout, reason: "target did not answer in time", err: err}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return bad("target unreachable")
	}
	return bad("target failed")
}

// noTLS shows what came where TLS was to come: "HTTP/" tells all.
func noTLS(err error) error {
	var plain tls.RecordHeaderError
	if !errors.As(err, &plain) {
		return err
	}
	return fmt.Errorf("backend does not speak TLS (got '%s'): %w", printable(plain.RecordHeader[:]), err)
}

// answerFailure is a target that was connected and gave no answer; got is what
// came of it.
func answerFailure(err error, got []byte) *failure {
	bad := func(reason string) *failure {
		return &failure{status: http.StatusBadGateway, reason: reason, err: firstBytes(err, got)}
	}
	var told *target.Error
	switch {
	case errors.As(err, &told):
		return bad(told.Reason)
	case timedOut(err):
		return &failure{status: http.StatusGatewayTimeout, reason: "target did not answer the handshake in time", err: firstBytes(err, got)}
	case errors.Is(err, errHeadTooLarge):
		return bad("target answered with a head over 32 KiB")
	case len(got) == 0 && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		return bad("target closed the connection without an answer")
	case errors.Is(err, io.ErrUnexpectedEOF) && startsHTTP(got):
		return bad("target closed the connection in the middle of its answer")
	case len(got) == 0 || errors.Is(err, syscall.ECONNRESET):
		return bad("target reset the connection")
	}
	return bad("target does not answer in HTTP")
}

// firstBytes shows how an answer that is none begins.
func firstBytes(err error, got []byte) error {
	if len(got) == 0 {
		return err
	}
	return fmt.Errorf("%w (first bytes '%s')", err, printable(got[:min(len(got), 16)]))
}

// printable is p with everything odd in it escaped.
func printable(p []byte) string {
	quoted := fmt.Sprintf("%+q", p)
	return quoted[1 : len(quoted)-1]
}

func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}
