package deflate

import (
	"bufio"
	"compress/flate"
	"io"
	"sync"
)

// Source gives the payload of a compressed message piece by piece; last comes
// with the last one, after which it is not asked again. A piece is valid until
// the next is asked for.
type Source interface {
	Piece() (p []byte, last bool, err error)
}

// Inflater inflates what is received: Begin, Read up to the last byte, End.
type Inflater struct {
	streams       *sync.Pool
	keepsReceived int    // bytes; 0: no context takeover
	received      []byte // the last of what was inflated
	stream        *stream
}

// Begin starts with a message, whose memory is lent until End.
func (i *Inflater) Begin(from Source) {
	s, ok := i.streams.Get().(*stream)
	if !ok {
		s = newStream()
	}
	s.from = from
	s.reset(i.received)
	i.stream = s
}

// Read gives the next bytes of the message, as many as are there and fit into p;
// last comes with the last of them, of which there may be none. The error is the
// Source's, as it was, or ErrCorrupt: the connection cannot be read any more.
func (i *Inflater) Read(p []byte) (n int, last bool, err error) {
	for {
		n, err = i.stream.inflate(p)
		if i.keepsReceived > 0 {
			i.received = remember(i.received, p[:n], i.keepsReceived)
		}
		switch {
		case err == io.EOF && i.stream.ended():
			return n, true, nil
		case err == io.EOF: // a block with BFINAL (RFC 7692, 7.2.3.4)
			i.stream.reset(i.received)
			err = nil
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, false, i.stream.why(err)
		}
	}
}

// End gives the message's memory back, wherever it was left.
func (i *Inflater) End() {
	s := i.stream
	i.stream = nil
	s.clear()
	i.streams.Put(s)
}

// tail completes what a message leaves out (RFC 7692, 7.2.2) and ends the
// stream with an empty last block, so that a whole message can be told from one
// that was cut.
const tail = "\x00\x00\xff\xff" + "\x01\x00\x00\xff\xff"

// nothing is how a message of no bytes is written (RFC 7692, 7.2.3.6).
const nothing = "\x00"

// stream is the message that is being inflated. The standard library does it: the
// one that compresses has an inflater, too, whose tables outlive a reset, so that
// a client's bad message could come out by the codes of another's.
type stream struct {
	from    Source
	piece   []byte
	some    bool  // the message has a byte at least
	last    bool  // piece is the message's last
	tail    bool  // piece is what comes behind it
	err     error // from's
	in      *bufio.Reader
	decoder interface {
		io.Reader
		flate.Resetter
	}
}

// readBytes is how much of a piece is taken at once.
const readBytes = 4 << 10

func newStream() *stream {
	s := &stream{}
	s.in = bufio.NewReaderSize(s, readBytes)
	s.decoder = flate.NewReader(s.in).(interface {
		io.Reader
		flate.Resetter
	})
	return s
}

// reset begins anew with what comes next, after history.
func (s *stream) reset(history []byte) { s.decoder.Reset(s.in, history) }

func (s *stream) clear() {
	s.from, s.piece, s.err = nil, nil, nil
	s.some, s.last, s.tail = false, false, false
	s.in.Reset(s)
}

// ended tells that nothing of the message is left.
func (s *stream) ended() bool { return s.tail && len(s.piece) == 0 && s.in.Buffered() == 0 }

// inflate returns io.EOF behind a last block only.
func (s *stream) inflate(p []byte) (int, error) {
	n, err := s.decoder.Read(p)
	if err == io.EOF && s.err != nil {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// why is what is behind an error of the decoder's.
func (s *stream) why(err error) error {
	switch {
	case err == nil:
		return nil
	case s.err != nil:
		return s.err
	}
	return ErrCorrupt
}

// Read is for in: the message as it came, and the tail.
func (s *stream) Read(p []byte) (int, error) {
	for len(s.piece) == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.piece)
	s.piece = s.piece[n:]
	return n, nil
}

func (s *stream) next() error {
	switch {
	case s.err != nil:
		return s.err
	case s.tail:
		return io.EOF
	case s.last && s.some:
		s.piece, s.tail = []byte(tail), true
	case s.last: // not right, but zlib takes it
		s.piece, s.tail = []byte(nothing+tail), true
	default:
		s.piece, s.last, s.err = s.from.Piece()
		s.some = s.some || len(s.piece) > 0
	}
	return s.err
}
