// Package content knows what messages are made of: which content type a
// session has, whether a message is what it says it is, and the steps that a
// route sends its messages through. It knows no socket and no WebSocket: bytes
// in, bytes out, and an *Error that holds the close code.
//
// A Rule chooses the type during the handshake. A Pipeline is one direction of
// one route, compiled when the configuration is read; see docs/content.md for
// the steps in a user's words.
package content

import (
	"cmp"
	"fmt"
	"log/slog"
	"mime"
	"os"
	"strings"
	"time"
)

// The content types that a session can have.
const (
	JSON    = "application/json"
	XML     = "application/xml"
	TextXML = "text/xml"
)

// Message is one WebSocket message, whole.
type Message struct {
	Text bool
	Data []byte
}

// Meta is what steps may know of a message besides its bytes: $meta of jq.
type Meta struct {
	Path      string            // of the request, without the query
	Header    map[string]string // only what the route lets steps see
	Client    string            // the client's address
	Time      time.Time
	Direction string // "in" or "out"
	// ContentType is what the message is when the pipeline gets it, "" if that
	// is nobody's business. On the way in it is the session's; on the way out
	// what the steps on the way in made of that, see Pipeline.Result.
	ContentType string
}

// Options are what a pipeline's steps share. The zero value is useful.
type Options struct {
	Stage      string // "in" or "out": what errors call the pipeline; default "in"
	Single     bool   // more than one result for a message is an error
	BinaryPass bool   // binary messages pass by all steps but log
	MaxBytes   int    // of a message, and of all it became; default 16 MiB
	// StepTimeout is for jq, schema, xpath and xmlset each; default 50 ms. Keep it
	// below a second: in more, jq can nest a value so deep that walking through
	// it overflows the stack, and that ends the process.
	StepTimeout time.Duration
	// Files reads schemas, when they are compiled and not later; nil: os.ReadFile.
	Files func(name string) ([]byte, error)
	Log   *slog.Logger // for the step log; nil: slog.Default
}

func (o Options) withDefaults() Options {
	o.Stage = cmp.Or(o.Stage, "in")
	o.MaxBytes = cmp.Or(o.MaxBytes, 16<<20)
	o.StepTimeout = cmp.Or(o.StepTimeout, 50*time.Millisecond)
	o.Log = cmp.Or(o.Log, slog.Default())
	if o.Files == nil {
		o.Files = os.ReadFile
	}
	return o
}

// form is what a content type means to a step.
type form uint8

const (
	anyForm form = iota // not looked into
	jsonForm
	xmlForm
)

func formOf(contentType string) form {
	switch contentType {
	case JSON:
		return jsonForm
	case XML, TextXML:
		return xmlForm
	}
	return anyForm
}

func (f form) String() string { return [...]string{"any", JSON, XML}[f] }

// parseType reads a content type as people write it: in any case, with blanks,
// with charset=utf-8 behind it. Messages are UTF-8, so no other charset will do.
func parseType(s string) (string, error) {
	t, params, err := mime.ParseMediaType(s)
	if err != nil || formOf(t) == anyForm {
		return "", fmt.Errorf("content type %q is none of %s, %s, %s", s, JSON, XML, TextXML)
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", fmt.Errorf("content type %q: text messages are utf-8", s)
	}
	return t, nil
}
