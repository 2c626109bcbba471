package check

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"github.com/wsbridge/wsbridge/message"
	"github.com/wsbridge/wsbridge/target"
)

// offer is what browsers and wscat offer (RFC 7692, 7.1).
const offer = "permessage-deflate; client_max_window_bits"

// deflate is step 12: offered compression, a server says yes or no, and the
// connection works either way. With Send, one message goes, and with Expect its
// answer has to be readable.
func (v *visit) deflate(ctx context.Context) finding {
	w := v.asking()
	w.Extensions = []string{offer}
	up, err := w.Dial(ctx)
	if err != nil {
		return fail("with compression offered, as browsers do: %v", err)
	}
	defer up.Conn.Close()
	chosen := up.Header.Get("Sec-WebSocket-Extensions")
	stop := context.AfterFunc(ctx, func() { up.Conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := v.tryDeflate(up); err != nil {
		return fail("with compression offered, as browsers do: %v", err)
	}
	if chosen == "" {
		return ok("compression was offered and not taken").with(map[string]bool{"taken": false})
	}
	return ok("compression was offered and taken: %s", chosen).with(map[string]any{"taken": true, "extension": chosen})
}

// tryDeflate sends what there is to send, and a ping behind it.
func (v *visit) tryDeflate(up *target.Upgraded) error {
	r := &frameReader{in: io.MultiReader(bytes.NewReader(up.Early), up.Conn), deflated: up.Header.Get("Sec-WebSocket-Extensions") != ""}
	frames := []ws.Frame{ws.NewPingFrame([]byte("deflate"))}
	if v.Send != "" {
		op := map[bool]ws.OpCode{true: ws.OpText, false: ws.OpBinary}[v.asText(up.Subprotocol)]
		frames = []ws.Frame{ws.NewFrame(op, true, []byte(v.Send)), frames[0]}
	}
	for _, f := range frames {
		if err := ws.WriteFrame(up.Conn, ws.MaskFrameInPlace(f)); err != nil {
			return endOf(err)
		}
	}
	var heard []byte
	for ponged := false; !ponged || v.Send != "" && v.Expect != nil && !v.Expect.Match(heard); {
		op, p, err := r.next()
		switch {
		case err != nil:
			return err
		case op == ws.OpClose:
			code, reason := ws.ParseCloseFrameData(p)
			return endOf(&message.CloseError{Code: code, Reason: reason})
		case op == ws.OpPong:
			ponged = ponged || string(p) == "deflate"
		case op != ws.OpPing:
			heard = append(heard[max(0, len(heard)-maxHeard):], p...)
		}
	}
	ws.WriteFrame(up.Conn, ws.MaskFrameInPlace(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))))
	return nil
}

// frameReader reads a server's messages, deflated or not.
type frameReader struct {
	in       io.Reader
	deflated bool // it may compress
	window   []byte
	part     []byte
	squeezed bool // part is compressed
}

// next is a control frame's payload, or a whole message.
func (r *frameReader) next() (ws.OpCode, []byte, error) {
	for {
		h, err := ws.ReadHeader(r.in)
		if err != nil {
			return 0, nil, endOf(err)
		}
		if h.Masked || h.Length > maxMessage || h.Rsv2() || h.Rsv3() || h.Rsv1() && !r.deflated {
			return 0, nil, fmt.Errorf("the server sends a frame that may not be: masked %t, %d bytes, reserved bits %03b", h.Masked, h.Length, h.Rsv)
		}
		p, err := io.ReadAll(io.LimitReader(r.in, h.Length))
		if err != nil || int64(len(p)) < h.Length {
			return 0, nil, endOf(errors.Join(err, io.ErrUnexpectedEOF))
		}
		if h.OpCode.IsControl() {
			return h.OpCode, p, nil
		}
		if whole, err := r.add(h, p); h.Fin || err != nil {
			return ws.OpBinary, whole, err
		}
	}
}

// add gathers a message, and gives it when it is whole.
func (r *frameReader) add(h ws.Header, p []byte) ([]byte, error) {
	if h.OpCode != ws.OpContinuation {
		r.part, r.squeezed = nil, h.Rsv1()
	}
	if r.part = append(r.part, p...); len(r.part) > maxMessage {
		return nil, fmt.Errorf("the server sends a message of over %d bytes", maxMessage)
	}
	if !h.Fin || !r.squeezed {
		return r.part, nil
	}
	return r.inflate()
}

// inflate undoes RFC 7692, 7.2.2, with what went before as its dictionary.
func (r *frameReader) inflate() ([]byte, error) {
	in := io.MultiReader(bytes.NewReader(r.part), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))
	p, err := io.ReadAll(io.LimitReader(flate.NewReaderDict(in, r.window), maxMessage))
	if err != nil {
		return nil, fmt.Errorf("the server's compressed message cannot be read: %w", err)
	}
	r.window = append(r.window, p...)
	r.window = r.window[max(0, len(r.window)-32<<10):]
	return p, nil
}
