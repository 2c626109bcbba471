package listen

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
)

// wire is how an authority is asked. It remembers what was refused last, which
// the library keeps to itself when it renews.
type wire struct {
	base   http.RoundTripper
	closed <-chan struct{} // nothing more may be asked

	mu   sync.Mutex
	last string
}

// maxAnswer is more than any answer of an authority takes; the library reads no
// more than this either.
const maxAnswer = 1 << 20

var errClosed = errors.New("certificates are obtained no more: wsbridge ends")

// RoundTrip is for http.Client.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-w.closed:
		return nil, errClosed
	default:
	}
	answer, err := w.base.RoundTrip(r)
	if err != nil {
		w.remember(err.Error())
		return nil, err
	}
	if strings.Contains(answer.Header.Get("Content-Type"), "json") {
		err = w.listen(answer)
	}
	return answer, err
}

// listen reads an answer ahead, for what it complains of.
func (w *wire) listen(answer *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	answer.Body.Close()
	if err != nil {
		return err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	w.remember(complaint(body))
	return nil
}

// problem is RFC 7807's.
type problem struct{ Type, Detail string }

// complaint is what a problem, an authorization or an order (RFC 8555, 6.7, 7.1)
// says is wrong; empty: nothing.
func complaint(body []byte) string {
	var said struct {
		problem
		Error      problem
		Challenges []struct{ Error problem }
	}
	json.Unmarshal(body, &said) // what cannot be read complains of nothing
	all := []problem{said.problem, said.Error}
	for _, c := range said.Challenges {
		all = append(all, c.Error)
	}
	for _, p := range all {
		if p.Detail != "" && !strings.HasSuffix(p.Type, ":badNonce") { // which is asked again
			return p.Detail
		}
	}
	return ""
}

func (w *wire) remember(refusal string) {
	if refusal == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = refusal
}

func (w *wire) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = ""
}

func (w *wire) lastRefusal() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}
