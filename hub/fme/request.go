package fme

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxStreamID is the length of a stream's name in bytes.
const maxStreamID = 256

// request is one message of a client, as it was written.
type request struct {
	op, msg    value
	stream     value   // ws_stream_id
	streams    value   // ws_stream_ids
	streamList []value // the items of ws_stream_ids, if it is an array
}

// parse reads a message: one object. Of a key that comes twice the last one
// counts, and keys that mean nothing here are passed over. The error is a
// fault with code bad_json.
func parse(src []byte, strict bool) (q request, err error) {
	p := &parser{src: src, strict: strict}
	if p.next() != '{' {
		err = p.fail("a message must be one JSON object")
	} else if err = p.object(1, func(key string) error { return q.member(p, key) }); err == nil {
		if p.next(); p.at < len(src) {
			err = p.fail("something follows the object")
		}
	}
	var bad *syntaxError
	if errors.As(err, &bad) {
		return request{}, &fault{badJSON, bad.Error()}
	}
	return q, nil
}

func (q *request) member(p *parser, key string) (err error) {
	switch key {
	case "ws_op":
		q.op, err = p.value(2, true)
	case "ws_stream_id":
		q.stream, err = p.value(2, true)
	case "ws_stream_ids":
		err = q.list(p)
	case "ws_msg":
		q.msg, err = p.value(2, false)
	default:
		_, err = p.value(2, false)
	}
	return err
}

// list takes ws_stream_ids.
func (q *request) list(p *parser) (err error) {
	q.streamList = nil
	if p.next() != '[' {
		q.streams, err = p.value(2, false)
		return err
	}
	q.streams = value{kind: arrayKind}
	return p.array(2, func() error {
		item, err := p.value(3, true)
		q.streamList = append(q.streamList, item)
		return err
	})
}

// operation is the value of ws_op in lower case.
func (q *request) operation() (string, error) {
	switch q.op.kind {
	case absent, nullKind:
		return "", &fault{missingField, "ws_op is missing"}
	case stringKind, wordKind:
		return strings.ToLower(q.op.text()), nil
	}
	return "", &fault{unknownOp, "ws_op must be a text"}
}

// named are the streams that the message names, each once; given: it has a key
// for them.
func (q *request) named() (ids []string, given bool, err error) {
	switch q.streams.kind {
	case arrayKind, absent, nullKind:
	default:
		return nil, true, &fault{badStreamID, "ws_stream_ids must be an array of texts; for one stream there is ws_stream_id"}
	}
	all := q.streamList
	if q.stream.kind != absent && q.stream.kind != nullKind {
		all = append(slices.Clone(all), q.stream)
	}
	for _, v := range all {
		id, err := streamID(v)
		if err != nil {
			return nil, true, err
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, len(all) > 0 || q.streams.kind == arrayKind, nil
}

func streamID(v value) (string, error) {
	if v.kind != stringKind && v.kind != wordKind {
		return "", &fault{badStreamID, "a stream's name must be a text"}
	}
	id := v.text()
	if len(id) == 0 || len(id) > maxStreamID {
		return "", &fault{badStreamID, fmt.Sprintf("a stream's name has 1 to %d bytes", maxStreamID)}
	}
	if strings.ContainsFunc(id, isControl) {
		return "", &fault{badStreamID, "a stream's name has no control characters in it"}
	}
	return id, nil
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError }

// payload is what the receivers of ws_msg get.
func (q *request) payload() ([]byte, error) {
	switch q.msg.kind {
	case absent, nullKind:
		return nil, &fault{missingField, "ws_msg is missing"}
	case stringKind:
		return unquote(q.msg.raw), nil
	}
	if q.msg.loose {
		return strictly(q.msg.raw), nil
	}
	return q.msg.raw, nil
}
