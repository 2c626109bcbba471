package content

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// The close codes of content (RFC 6455, 7.4.1).
const (
	codeUnsupported = 1003 // binary where text is spoken
	codeInvalid     = 1007 // not what its content type says
	codePolicy      = 1008 // not what the schema says
	codeTooLarge    = 1009 // a message, or what became of it
	codeInternal    = 1011 // a step failed
)

// maxReason is what a close frame holds beside its code (RFC 6455, 5.5).
const maxReason = 123

// Error says why a message goes no further.
type Error struct {
	Code   int    // what the session is closed with: 1003, 1007, 1008, 1009 or 1011
	Stage  string // "in" for the check on entry, "in[1]" for a step
	Reason string // for the peer: at most 123 bytes, valid UTF-8
	Err    error  // for the log: what is behind it, may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Stage + ": " + e.Reason
	}
	return fmt.Sprintf("%s: %s: %v", e.Stage, e.Reason, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Reply is the error as a message for the side that sent the bad one: XML if
// contentType is, JSON otherwise.
func (e *Error) Reply(contentType string) []byte {
	if formOf(contentType) == xmlForm {
		return e.replyXML()
	}
	var body struct {
		Error struct {
			Code    int    `json:"code"`
			Stage   string `json:"stage"`
			Message string `json:"message"`
		} `json:"error"`
	}
	body.Error.Code, body.Error.Stage, body.Error.Message = e.Code, e.Stage, e.Reason
	b, _ := json.Marshal(body) // cannot fail: a number and strings
	return b
}

func (e *Error) replyXML() []byte {
	var b bytes.Buffer
	b.WriteString(`<error code="` + strconv.Itoa(e.Code) + `" stage="`)
	xml.EscapeText(&b, []byte(e.Stage))
	b.WriteString(`" message="`)
	xml.EscapeText(&b, []byte(e.Reason))
	b.WriteString(`"/>`)
	return b.Bytes()
}

// refuse is an Error that has no stage yet.
func refuse(code int, format string, args ...any) *Error {
	return &Error{Code: code, Reason: cut(fmt.Sprintf(format, args...), maxReason)}
}

// at gives an error its stage. What is not an *Error is a failed step, whose
// cause is for the log only: it may quote what the other side said.
func at(stage string, err error) *Error {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Code: codeInternal, Reason: "transform " + stage, Err: err}
	}
	e.Stage = stage
	if e.Code == codeInternal && e.Err == nil {
		e.Reason = cut("transform "+stage+": "+e.Reason, maxReason)
	}
	return e
}

// cut shortens s to n bytes at most, between runes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
