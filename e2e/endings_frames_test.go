//go:build linux

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/gobwas/ws"
)

// told is a Close frame.
type told struct {
	code   ws.StatusCode
	reason string
}

func (c told) Error() string { return strings.TrimSpace(fmt.Sprint(int(c.code), " ", c.reason)) }

// frames carry words in WebSocket's frames, a message each. They take no more from
// the connection than was asked for.
type frames struct {
	conn   net.Conn
	client bool // and so masks
	mute   bool // answers no ping

	head ws.Header // of the frame that is being read
	at   int       // in its payload

	sent, got int64 // payload

	mu sync.Mutex // of writes
}

// Read returns words. The error is the Close frame, once that comes.
func (f *frames) Read(p []byte) (int, error) {
	for int64(f.at) == f.head.Length {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n, err := f.conn.Read(p[:min(int64(len(p)), f.head.Length-int64(f.at))])
	f.unmask(p[:n])
	f.got += int64(n)
	return n, err
}

// unmask continues with the payload.
func (f *frames) unmask(p []byte) {
	if f.head.Masked {
		ws.Cipher(p, f.head.Mask, f.at)
	}
	f.at += len(p)
}

// next comes to the next frame of words, which may be empty.
func (f *frames) next() error {
	for {
		head, err := ws.ReadHeader(f.conn)
		if err != nil {
			return err
		}
		if f.head, f.at = head, 0; !head.OpCode.IsControl() {
			return nil
		}
		payload := make([]byte, head.Length)
		if _, err := io.ReadFull(f.conn, payload); err != nil {
			return err
		}
		f.unmask(payload)
		switch {
		case head.OpCode == ws.OpClose:
			code, reason := ws.ParseCloseFrameData(payload)
			return told{code, reason}
		case head.OpCode == ws.OpPing && !f.mute:
			f.write(ws.OpPong, payload)
		}
	}
}

// Write sends a message.
func (f *frames) Write(p []byte) (int, error) { return len(p), f.message(ws.OpBinary, p) }

func (f *frames) message(op ws.OpCode, p []byte) error {
	f.sent += int64(len(p))
	return f.write(op, p)
}

func (f *frames) write(op ws.OpCode, p []byte) error {
	whole := ws.NewFrame(op, true, p)
	if f.client {
		whole = ws.MaskFrameWith(whole, [4]byte{1, 2, 3, 4})
	}
	b, err := ws.CompileFrame(whole)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err = f.conn.Write(b)
	return err
}

func (f *frames) close(why told) error {
	return f.write(ws.OpClose, ws.NewCloseFrameBody(why.code, why.reason))
}

// hubTalk carries words as a hub's messages, in its stream.
type hubTalk struct {
	*frames
	stream string
	rest   []byte // of the message that is being read
}

func (h *hubTalk) Write(p []byte) (int, error) {
	return len(p), h.ask(map[string]string{"ws_op": "send", "ws_msg": base64.StdEncoding.EncodeToString(p)})
}

// ask sends the hub an object.
func (h *hubTalk) ask(what map[string]string) error {
	b, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return h.message(ws.OpText, b)
}

func (h *hubTalk) Read(p []byte) (int, error) {
	if len(h.rest) == 0 {
		message, err := h.whole()
		if err != nil {
			return 0, err
		}
		if h.rest, err = base64.StdEncoding.DecodeString(string(message)); err != nil {
			return 0, fmt.Errorf("%w: %q", err, message)
		}
	}
	n := copy(p, h.rest)
	h.rest = h.rest[n:]
	return n, nil
}

// whole is the next message.
func (h *hubTalk) whole() ([]byte, error) {
	if err := h.next(); err != nil {
		return nil, err
	}
	b := make([]byte, h.head.Length)
	_, err := io.ReadFull(h.conn, b)
	h.unmask(b)
	h.got += h.head.Length
	return b, err
}

// open opens the stream, and waits until the hub has done so.
func (h *hubTalk) open() error {
	if err := h.ask(map[string]string{"ws_op": "open", "ws_stream_id": h.stream}); err != nil {
		return err
	}
	_, err := h.channels()
	return err
}

// channels is how many clients have the stream open.
func (h *hubTalk) channels() (int, error) {
	if err := h.ask(map[string]string{"ws_op": "admin", "ws_msg": "getnumchannels()"}); err != nil {
		return 0, err
	}
	answer, err := h.whole()
	if err != nil {
		return 0, err
	}
	var all struct {
		Streams []struct {
			Stream      string `json:"stream"`
			NumChannels int    `json:"numchannels,string"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(answer, &all); err != nil {
		return 0, fmt.Errorf("%w: %q", err, answer)
	}
	for _, s := range all.Streams {
		if s.Stream == h.stream {
			return s.NumChannels, nil
		}
	}
	return 0, nil
}
