package message_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"github.com/wsbridge/wsbridge/frame"
	"github.com/wsbridge/wsbridge/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestMessagesArriveAsTheyWereSent: every size, kind and direction, in order,
// over a connection that cuts as it likes.
func TestMessagesArriveAsTheyWereSent(t *testing.T) {
	sizes := []int{0, 1, 125, 126, 4095, 4096, 4097, 65535, 65536, 70_000, 1 << 20}
	for name, fromServer := range map[string]bool{"a client's": false, "a server's": true} {
		t.Run(name, func(t *testing.T) {
			sender, receiver := pair(t, message.Options{FromServer: !fromServer}, message.Options{FromServer: fromServer})
			go func() {
				for i, size := range sizes {
					sender.Write(message.Message{Text: i%2 == 0, Data: payload(size)})
				}
				sender.Close(ws.StatusNormalClosure, "that was all")
			}()
			for i, size := range sizes {
				m, err := receiver.Read()
				if err != nil || m.Text != (i%2 == 0) || !bytes.Equal(m.Data, payload(size)) {
					t.Fatalf("message of %d bytes: text %v, %d bytes, %v", size, m.Text, len(m.Data), err)
				}
			}
			wantClosed(t, receiver, ws.StatusNormalClosure, "that was all")
		})
	}
}

// payload is text, so that it may go in any frame; the same for the same n.
func payload(n int) []byte {
	random := rand.New(rand.NewPCG(uint64(n), 7))
	p := make([]byte, n)
	for i := range p {
		p[i] = 'a' + byte(random.IntN(26))
	}
	return p
}

// TestRead reads what a client sent byte for byte.
func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		frames [][]byte
		want   string // messages, then the error
	}{
		"fragments":              {[][]byte{client(ws.OpText, false, "a"), client(ws.OpContinuation, false, "b"), client(ws.OpContinuation, true, "c")}, "abc; EOF"},
		"a ping between":         {[][]byte{client(ws.OpText, false, "a"), client(ws.OpPing, true, "?"), client(ws.OpContinuation, true, "b")}, "ab; EOF"},
		"an empty one":           {[][]byte{client(ws.OpBinary, true, "")}, "; EOF"},
		"two":                    {[][]byte{client(ws.OpText, true, "a"), client(ws.OpText, true, "b")}, "a; b; EOF"},
		"as large as may be":     {[][]byte{client(ws.OpText, true, "12345678")}, "12345678; EOF"},
		"too large":              {[][]byte{client(ws.OpText, true, "123456789")}, "1009 message is larger than 8 bytes"},
		"too large in fragments": {[][]byte{client(ws.OpText, false, "12345"), client(ws.OpContinuation, true, "6789")}, "1009 message is larger than 8 bytes"},
		"not UTF-8":              {[][]byte{client(ws.OpText, true, "\xff")}, "1007 text is not valid UTF-8"},
		"not masked":             {[][]byte{{0x81, 1, 'a'}}, "1002 "},
		"a Close":                {[][]byte{client(ws.OpText, true, "a"), client(ws.OpClose, true, "\x0f\xa0why")}, "a; closed with 4000: why"},
		"a Close without code":   {[][]byte{client(ws.OpClose, true, "")}, "closed with 1005"},
		"cut":                    {[][]byte{client(ws.OpText, true, "abc")[:7]}, "EOF"},
	} {
		for _, chunk := range []int{1, 3, 1000} {
			t.Run(name, func(t *testing.T) {
				if got := hear(t, bytes.Join(c.frames, nil), chunk, 8); !strings.HasPrefix(got, c.want) {
					t.Errorf("in pieces of %d: %q, want %q", chunk, got, c.want)
				}
			})
		}
	}
}

// hear is what a server makes of bytes that come in pieces, the first of them
// with the handshake. Messages may have so many bytes.
func hear(t *testing.T, sent []byte, chunk, most int) string {
	far, near := net.Pipe()
	go io.Copy(io.Discard, far)
	early := min(chunk, len(sent))
	c := message.New(near, message.Options{MaxBytes: most, Early: sent[:early:early]})
	go func() {
		for rest := sent[early:]; len(rest) > 0; {
			n := min(chunk, len(rest))
			far.Write(rest[:n])
			rest = rest[n:]
		}
		far.Close()
	}()
	defer c.Finish(time.Now())
	var heard []string
	for {
		m, err := c.Read()
		var breach *frame.Error
		switch {
		case errors.As(err, &breach):
			code, reason := message.CloseCode(err)
			return strings.Join(append(heard, string(itoa(code))+" "+reason), "; ")
		case err != nil:
			return strings.Join(append(heard, err.Error()), "; ")
		}
		heard = append(heard, string(m.Data))
	}
}

func itoa(code ws.StatusCode) string {
	return strings.TrimPrefix((&message.CloseError{Code: code}).Error(), "closed with ")
}

// client is a client's frame.
func client(op ws.OpCode, fin bool, payload string) []byte {
	f := ws.MaskFrame(ws.NewFrame(op, fin, []byte(payload)))
	return ws.MustCompileFrame(f)
}

func TestADeclaredLengthCostsNothing(t *testing.T) {
	head := []byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 'x'}
	if got := hear(t, head, len(head), 8); got != "EOF" {
		t.Errorf("%q", got) // and no panic of a slice that large
	}
}

func TestPingsAreAnswered(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	c := message.New(near, message.Options{})
	go c.Read()
	far.Write(client(ws.OpPing, true, "there?"))
	got := make([]byte, len("\x8a\x06there?"))
	if _, err := io.ReadFull(far, got); err != nil || string(got) != "\x8a\x06there?" {
		t.Errorf("%q, %v", got, err)
	}
	c.Cut()
}

// TestControlIsHandedOn to whoever asked for it, and then answers it.
func TestControlIsHandedOn(t *testing.T) {
	heard := make(chan string, 2)
	near, far := pair(t, message.Options{Control: func(op ws.OpCode, p []byte) { heard <- string([]byte{'0' + byte(op)}) + string(p) }}, message.Options{FromServer: true})
	far.Ping([]byte("ping"))
	far.Pong([]byte("pong"))
	far.Close(ws.StatusNormalClosure, "")
	wantClosed(t, near, ws.StatusNormalClosure, "")
	if one, two := <-heard, <-heard; one != "9ping" || two != ":pong" {
		t.Errorf("%q, %q", one, two)
	}
}

// TestSilenceIsGivenUp: two pings without an answer, and the peer is gone.
func TestSilenceIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, near := net.Pipe()
		go io.Copy(io.Discard, far)
		defer far.Close()
		c := message.New(near, message.Options{Heartbeat: time.Minute})
		began := time.Now()
		_, err := c.Read()
		if !errors.Is(err, message.ErrUnanswered) || time.Since(began) != 3*time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if code, _ := message.CloseCode(err); code != ws.StatusInternalServerError {
			t.Errorf("code %d", code)
		}
		c.Finish(time.Now())
	})
}

func TestASlowReaderOfOursIsNotThePeersSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, near := net.Pipe()
		go io.Copy(io.Discard, far)
		defer far.Close()
		c := message.New(near, message.Options{Heartbeat: time.Minute})
		time.Sleep(10 * time.Minute) // nobody reads: an answer could not be seen
		go far.Write(client(ws.OpText, true, "still here"))
		if m, err := c.Read(); err != nil || string(m.Data) != "still here" {
			t.Errorf("%q, %v", m.Data, err)
		}
		c.Finish(time.Now())
	})
}

func TestIdleConnectionsAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go io.Copy(io.Discard, far)
		defer far.Close()
		c := message.New(near, message.Options{Idle: 8 * time.Minute})
		go func() {
			time.Sleep(5 * time.Minute)
			c.Write(message.Message{Text: true, Data: []byte("a sign of life")})
		}()
		began := time.Now()
		_, err := c.Read()
		if took := time.Since(began); !errors.Is(err, message.ErrIdle) || took < 13*time.Minute || took > 14*time.Minute {
			t.Errorf("%v after %v", err, took)
		}
		c.Finish(time.Now())
	})
}

// TestAPeerThatTakesNothing ends a write, and with it a ping waits for nobody.
func TestAPeerThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, near := net.Pipe()
		defer far.Close()
		c := message.New(near, message.Options{WriteTimeout: time.Minute})
		began := time.Now()
		if err := c.Write(message.Message{Data: []byte("x")}); err == nil || time.Since(began) > time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		c.Cut()
	})
}

func TestNothingFollowsAClose(t *testing.T) {
	near, far := pair(t, message.Options{}, message.Options{FromServer: true})
	near.Close(ws.StatusGoingAway, "bye")
	if err := near.Write(message.Message{Data: []byte("x")}); !errors.Is(err, message.ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
	if err := near.Close(ws.StatusNormalClosure, ""); !errors.Is(err, message.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
	wantClosed(t, far, ws.StatusGoingAway, "bye")
}

// TestGivingUpReachesTheReader: and it hears why.
func TestGivingUpReachesTheReader(t *testing.T) {
	near, far := pair(t, message.Options{}, message.Options{FromServer: true})
	why := errors.New("bridge shutting down")
	time.AfterFunc(time.Millisecond, func() { near.GiveUp(why, time.Now().Add(time.Minute)) })
	if _, err := near.Read(); err != why {
		t.Errorf("read: %v", err)
	}
	if err := near.Write(message.Message{Text: true, Data: []byte("last words")}); err != nil {
		t.Errorf("write within the time given: %v", err)
	}
	if m, err := far.Read(); err != nil || string(m.Data) != "last words" {
		t.Errorf("%q, %v", m.Data, err)
	}
	near.Close(ws.StatusGoingAway, why.Error())
	wantClosed(t, far, ws.StatusGoingAway, why.Error())
}

func TestSendable(t *testing.T) {
	for code, want := range map[ws.StatusCode]ws.StatusCode{1000: 1000, 1005: 1005, 1006: 1001, 1012: 1012, 1013: 1013, 1014: 1014, 1015: 1001, 3000: 3000, 4999: 4999, 999: 1001, 5000: 1001, 0: 1001} {
		if got := message.Sendable(code); got != want {
			t.Errorf("%d: %d, want %d", code, got, want)
		}
	}
}

// TestFramesForMany are read like any other.
func TestFramesForMany(t *testing.T) {
	near, far := pair(t, message.Options{}, message.Options{FromServer: true})
	var frames []byte
	for _, text := range []string{"one", "two"} {
		frames = message.Frame(frames, message.Message{Text: true, Data: []byte(text)})
	}
	go near.WriteFrames(frames, 2, 6)
	for _, want := range []string{"one", "two"} {
		if m, err := far.Read(); err != nil || string(m.Data) != want {
			t.Errorf("%q, %v", m.Data, err)
		}
	}
	if got := far.Stats(); got != (message.Stats{Received: 6, Messages: 2}) {
		t.Errorf("%+v", got)
	}
}

// TestWithoutWaiting offers frames to a peer that reads nothing, until it takes
// only part of one: what is sent afterwards comes behind the rest of it.
func TestWithoutWaiting(t *testing.T) {
	near, far := pair(t, message.Options{}, message.Options{FromServer: true})
	m := message.Message{Data: bytes.Repeat([]byte("0123456789abcde\n"), 8<<10)}
	frames, progress, sent := message.Frame(nil, m), message.Sent, 0
	for ; progress == message.Sent; sent++ {
		var err error
		if progress, err = near.TryFrames(frames, 1, len(m.Data)); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := near.TryFrames(frames, 1, len(m.Data)); progress == message.Begun && (again != message.Unsent || err != nil) {
		t.Fatalf("a frame inside another: %v, %v", again, err)
	}
	if progress == message.Unsent {
		sent--
	}
	done := make(chan error, 2)
	go func() { done <- near.Flush() }()
	go func() { done <- near.Ping(nil) }()
	for range sent {
		if got, err := far.Read(); err != nil || !bytes.Equal(got.Data, m.Data) {
			t.Fatalf("%d bytes, %v", len(got.Data), err)
		}
	}
	if err := errors.Join(<-done, <-done); err != nil {
		t.Fatal(err)
	}
	if got, want := far.Stats(), near.Stats(); got.Received != want.Sent || want.Messages != int64(sent) {
		t.Errorf("received %+v of %+v", got, want)
	}
}

// TestNothingIsTriedPastTheEnd: the time given when the connection was given up
// holds for frames that would not wait, too.
func TestNothingIsTriedPastTheEnd(t *testing.T) {
	near, _ := pair(t, message.Options{}, message.Options{FromServer: true})
	frames := message.Frame(nil, message.Message{Data: []byte("x")})
	if progress, err := near.TryFrames(frames, 1, 1); progress == message.Begun || err != nil {
		t.Fatal(progress, err)
	}
	why := errors.New("slow consumer")
	near.GiveUp(why, time.Unix(1, 0))
	if progress, err := near.TryFrames(frames, 1, 1); progress != message.Unsent || err != nil {
		t.Errorf("%v, %v", progress, err)
	}
	if err := near.WriteFrames(frames, 1, 1); err != why {
		t.Errorf("write past the time given: %v", err)
	}
}

func wantClosed(t *testing.T, c *message.Conn, code ws.StatusCode, reason string) {
	t.Helper()
	_, err := c.Read()
	var closed *message.CloseError
	if !errors.As(err, &closed) || closed.Code != code || closed.Reason != reason {
		t.Errorf("read: %v, want a Close with %d %q", err, code, reason)
	}
}

// pair is two ends of a TCP connection.
func pair(t *testing.T, a, b message.Options) (*message.Conn, *message.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	one, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	x, y := message.New(one, a), message.New(other, b)
	t.Cleanup(x.Cut)
	t.Cleanup(y.Cut)
	return x, y
}

// What a peer says means the same however it is cut.
func FuzzRead(f *testing.F) {
	f.Add(bytes.Join([][]byte{client(ws.OpText, false, "a"), client(ws.OpPing, true, "?"), client(ws.OpContinuation, true, "b"), client(ws.OpClose, true, "\x03\xe8bye")}, nil), uint8(1))
	f.Add(client(ws.OpBinary, true, "123456789"), uint8(3))
	f.Add(client(ws.OpText, true, "\xe2\x82\xac \xe2\x82"), uint8(7))
	f.Add([]byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 'x'}, uint8(2))
	f.Fuzz(func(t *testing.T, sent []byte, step uint8) {
		const most = 1 << 20 // never reached: which breach of two is found first may depend on the cuts
		whole := hear(t, bytes.Clone(sent), max(1, len(sent)), most)
		if cut := hear(t, bytes.Clone(sent), 1+int(step), most); cut != whole {
			t.Errorf("%q in one piece, %q in several", whole, cut)
		}
	})
}
