//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// most2 is how many streams of one connection may be open.
const most2 = 1024

// TestAbuseByHTTP2: floods of frames that cost who sends them little. A connection
// that breaks the rules is told so and ends; one that keeps to them has its other
// sessions go on.
func TestAbuseByHTTP2(t *testing.T) {
	need(t, "openssl")
	cert := certify(t, t.TempDir(), "localhost")
	for name, config := range map[string]*tls.Config{"TLS": {InsecureSkipVerify: true, NextProtos: []string{"h2"}}, "cleartext": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := besiege(t, append(cert.options(), "--http2", "cleartext")...)
			s.withstand(t, streamFloods(config))
			if config != nil {
				s.withstand(t, append(connectionFloods(config), heldStreams(config)...))
			}
		})
	}
}

// streamFloods leave the connection whole: a session that was there before them
// still echoes.
func streamFloods(config *tls.Config) (all []abuse) {
	const many = 5000
	for _, a := range []struct {
		name    string
		flood   func(s *stranger)
		told    string
		counted counts
	}{
		{"streams that are reset at once", func(s *stranger) {
			for range many {
				s.WriteRSTStream(s.open(aSession), http2.ErrCodeCancel)
			}
		}, "", counts{"1006 client": some}},
		{"streams that the bridge is made to reset", func(s *stranger) {
			for range most2 / 2 { // of which none may be too many, however late the resets
				s.WriteWindowUpdate(s.open(aSession), 1<<31-1)
			}
		}, "RST_STREAM FLOW_CONTROL_ERROR, ", counts{"1006 client": some}},
		{"requests that are reset at once", func(s *stranger) {
			for range many / 2 {
				s.WriteRSTStream(s.open(aPage), http2.ErrCodeCancel)
			}
		}, "", nil},
		{"pings", func(s *stranger) {
			for range many {
				s.WritePing(false, [8]byte{})
			}
		}, "pong, ", nil},
		{"settings", func(s *stranger) {
			for i := range 10 * many {
				s.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: uint32(i % 8192)}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<16 + uint32(i%2)})
			}
		}, "", nil},
		{"priorities", func(s *stranger) {
			for i := range uint32(10 * many) {
				s.WritePriority(1+2*i, http2.PriorityParam{StreamDep: 3 + 2*i, Weight: byte(i)})
			}
		}, "", nil},
		{"data of nothing", func(s *stranger) {
			for range 10 * many {
				s.WriteData(1, false, nil)
			}
		}, "", nil},
		{"data of nothing but padding", func(s *stranger) {
			for range 2 * many {
				s.WriteDataPadded(1, false, nil, make([]byte, 255))
			}
		}, "", nil},
		{"data on a stream that is closed", func(s *stranger) {
			closed := s.open(aSession)
			s.WriteRSTStream(closed, http2.ErrCodeCancel)
			for range many {
				s.WriteData(closed, false, []byte(masked(final|opBinary, "x")))
			}
		}, "RST_STREAM STREAM_CLOSED, ", counts{"1006 client": some}},
		{"a field that is repeated without end", func(s *stranger) {
			s.WriteRSTStream(s.open(append(slices.Clone(aPage), large)), http2.ErrCodeCancel)
			for range 100 {
				s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id(), BlockFragment: s.block(bomb), EndHeaders: true, EndStream: true})
			}
		}, "431, ", nil},
		{"frames of no known type", func(s *stranger) {
			for range many {
				s.WriteRawFrame(0xbe, 0xff, 1, make([]byte, 1000))
			}
		}, "", nil},
	} {
		counted := counts{"1006 client": 1}
		if a.counted != nil {
			counted = a.counted
		}
		all = append(all, abuse{a.name, func(c *talker) {
			s := meet(c, config)
			s.flood(func() { s.open(aSession) }, "200")
			s.flood(func() {
				a.flood(s)
				s.WriteData(1, false, []byte(masked(final|opBinary, ".")))
			}, "heard")
		}, "200, " + a.told + "heard", counted, ""})
	}
	return all
}

// connectionFloods end the connection.
func connectionFloods(config *tls.Config) (all []abuse) {
	const end = ", (gone|reset)"
	for _, a := range []struct {
		name  string
		flood func(s *stranger)
		told  string
	}{
		{"a head that goes on and on", func(s *stranger) {
			s.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: s.block(aPage)})
			for s.WriteContinuation(1, false, bytes.Repeat([]byte("\x00\x01x\x01y"), 100)) == nil {
			}
		}, "GOAWAY PROTOCOL_ERROR" + end},
		{"a field without end", func(s *stranger) {
			s.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: append(s.block(aPage), "\x00\x01x\x7f\xff\xff\xff\x7f"...)})
			for s.WriteContinuation(1, false, bytes.Repeat([]byte("x"), 1000)) == nil {
			}
		}, "GOAWAY COMPRESSION_ERROR" + end},
		{"a table that is larger than it may be", func(s *stranger) {
			s.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("\x3f\xe1\xff\xff\x07"), EndHeaders: true})
		}, "GOAWAY COMPRESSION_ERROR" + end},
		{"settings by the hundred", func(s *stranger) {
			s.WriteSettings(slices.Repeat([]http2.Setting{{ID: 99, Val: 1}}, 2000)...)
		}, "GOAWAY PROTOCOL_ERROR" + end},
	} {
		all = append(all, abuse{a.name, func(c *talker) {
			s := meet(c, config)
			s.flood(func() { a.flood(s) }, "")
		}, a.told, nil, ""})
	}
	return all
}

// heldStreams are of a client that lets nothing be written to it.
func heldStreams(config *tls.Config) []abuse {
	const sessions = 100
	silent := func(c *talker) *stranger {
		s := meet(c, config)
		s.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		return s
	}
	return []abuse{
		{"pings whose answers are not read", func(c *talker) {
			s := meet(c, config)
			c.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
			for s.WritePing(false, [8]byte{}) == nil {
			}
		}, "", nil, ""},
		{"sessions whose echo may not be written", func(c *talker) {
			s := silent(c)
			piece := []byte(masked(final|opBinary, strings.Repeat("x", 16000)))
			for range sessions {
				s.flood(func() {
					id := s.open(aSession)
					for range 16 { // as much as a stream takes that nobody reads
						s.WriteData(id, false, piece)
					}
				}, "200")
			}
			s.flood(func() { s.WritePing(false, [8]byte{}) }, "pong")
		}, "200, pong", counts{"1006 client": sessions}, ""},
		{"more requests than there may be", func(c *talker) {
			s := silent(c)
			s.flood(func() {
				for range most2 + 500 {
					s.open(aPage)
				}
				s.WritePing(false, [8]byte{})
			}, "pong")
		}, "(200, )?RST_STREAM PROTOCOL_ERROR, (200, )?pong", nil, ""},
	}
}

// stranger is a client of HTTP/2 that sends any frames.
type stranger struct {
	*http2.Framer
	c       *talker
	out     *bufio.Writer
	head    bytes.Buffer
	encoder *hpack.Encoder
	last    uint32 // stream
}

// meet opens a connection and hears the bridge's settings, which it acknowledges.
func meet(c *talker, config *tls.Config) *stranger {
	c.reach(config)
	s := &stranger{c: c, out: bufio.NewWriterSize(c.conn, 16<<10)}
	s.encoder = hpack.NewEncoder(&s.head)
	s.Framer = http2.NewFramer(s.out, c.in)
	s.AllowIllegalWrites = true
	s.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	io.WriteString(s.out, http2.ClientPreface)
	s.WriteSettings()
	s.out.Flush()
	if _, err := s.ReadFrame(); err != nil {
		c.t.Errorf("the bridge's settings: %v", err)
	}
	s.WriteSettingsAck()
	return s
}

var (
	aSession = [][2]string{{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":authority", "bridge"}, {":path", "/"}, {"sec-websocket-version", "13"}}
	aPage    = [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "bridge"}, {":path", "/"}}
	large    = [2]string{"x", strings.Repeat("x", 3900)}
	// bomb asks for a page with the field of the table that came last, 10,000 times.
	bomb = append(slices.Clone(aPage), slices.Repeat([][2]string{large}, 10_000)...)
)

// id is the next stream's.
func (s *stranger) id() uint32 {
	s.last += 2
	return s.last - 1
}

// block has the fields as they are sent.
func (s *stranger) block(fields [][2]string) []byte {
	s.head.Reset()
	for _, f := range fields {
		s.encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return s.head.Bytes()
}

// open asks for something on a new stream. Only a session's is not ended with it.
func (s *stranger) open(fields [][2]string) (id uint32) {
	id = s.id()
	s.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: s.block(fields), EndHeaders: true, EndStream: fields[0][1] == "GET"})
	return id
}

// flood sends, and listens meanwhile.
func (s *stranger) flood(send func(), until string) {
	var sent sync.WaitGroup
	sent.Go(func() {
		send()
		s.out.Flush()
	})
	s.listen(until)
	if until == "" {
		s.c.leave()
	}
	sent.Wait()
}

// listen notes what is answered, the same thing once, until something is, or until
// the connection ends.
func (s *stranger) listen(until string) {
	for {
		frame, err := s.ReadFrame()
		if err != nil {
			s.c.note("%s", failing(err))
			return
		}
		answer := answering(frame)
		if answer != "" && !slices.Contains(s.c.heard, answer) {
			s.c.note("%s", answer)
		}
		if answer == until && until != "" {
			return
		}
	}
}

// answering is the frame's name, if it counts as an answer.
func answering(frame http2.Frame) string {
	switch f := frame.(type) {
	case *http2.MetaHeadersFrame:
		return f.PseudoValue("status")
	case *http2.RSTStreamFrame:
		return "RST_STREAM " + f.ErrCode.String()
	case *http2.GoAwayFrame:
		return "GOAWAY " + f.ErrCode.String()
	case *http2.PingFrame:
		return "pong"
	case *http2.DataFrame:
		if bytes.HasSuffix(f.Data(), []byte{'.'}) {
			return "heard"
		}
	}
	return ""
}
