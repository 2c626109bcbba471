package fme

import (
	"bytes"
	"encoding/json"

	"github.com/wsbridge/wsbridge/message"
)

// The codes of error frames.
const (
	badJSON        = "bad_json"
	unknownOp      = "unknown_op"
	missingField   = "missing_field"
	badStreamID    = "bad_stream_id"
	tooManyStreams = "too_many_streams"
	notOpen        = "not_open"
	forbidden      = "forbidden"
	unknownAdmin   = "unknown_admin"
	rateLimited    = "rate_limited"
	engineDown     = "engine_down"
)

// fault is what a client did wrong, or has to know.
type fault struct{ code, text string }

func (f *fault) Error() string { return f.code + ": " + f.text }

// message is the error frame.
func (f *fault) message() message.Message {
	return textMessage(struct {
		Op   string `json:"ws_op"`
		Code string `json:"ws_code"`
		Text string `json:"ws_msg"`
	}{"error", f.code, f.text})
}

// textMessage is v as JSON. v holds strings and lists of them: it cannot fail.
func textMessage(v any) message.Message {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(v)
	return message.Message{Text: true, Data: bytes.TrimSuffix(b.Bytes(), []byte("\n"))}
}
