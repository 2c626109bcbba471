//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"
)

// memberReadSize has room for a message and its neighbours.
const memberReadSize = 512

// member is one connection to a hub, in one stream.
type member struct {
	*session
	stream int
	text   []byte // of the message read last
}

// join opens the stream; the hub says nothing to it. Pings are answered.
func join(ctx context.Context, st *station, stream int) (*member, error) {
	s, err := open(ctx, st, memberReadSize)
	if err != nil {
		return nil, err
	}
	s.in.(*frameSource).onPing = func() { s.conn.Write(maskedFrame(opPong, nil)) }
	m := &member{session: s, stream: stream}
	if err := m.say(fmt.Sprintf(`{"ws_op":"open","ws_stream_id":"%d"}`, stream)); err != nil {
		s.abandon()
		return nil, err
	}
	return m, nil
}

// say sends text.
func (s *session) say(text string) error {
	_, err := s.conn.Write(maskedFrame(opText, []byte(text)))
	return err
}

// filler makes a message one hundred bytes long.
const filler = " and all that a message of one hundred bytes has to say to a hub"

// tell says message number n of the stream; in it is when.
func (m *member) tell(n int) error {
	return m.say(fmt.Sprintf(`{"ws_op":"send","ws_msg":"%02d %012d %020d%s"}`, m.stream, n, time.Now().UnixNano(), filler))
}

// hear reads n messages of the stream, from number first on.
func (m *member) hear(first, n int) error {
	for i := range n {
		var err error
		if m.text, err = m.in.(*frameSource).message(m.text[:0]); err != nil {
			return fmt.Errorf("after %d of %d messages: %w", i, n, err)
		}
		if err := m.check(first + i); err != nil {
			return err
		}
	}
	return nil
}

func (m *member) check(n int) error {
	words := bytes.SplitN(m.text, []byte(" "), 4)
	if len(words) < 4 || string(words[0]) != fmt.Sprintf("%02d", m.stream) ||
		string(words[1]) != fmt.Sprintf("%012d", n) || string(words[3]) != filler[1:] {
		return fmt.Errorf("in stream %d came %q, want message %d", m.stream, m.text, n)
	}
	at, err := strconv.ParseInt(string(words[2]), 10, 64)
	if err != nil {
		return err
	}
	m.took = append(m.took, time.Since(time.Unix(0, at)))
	return nil
}
