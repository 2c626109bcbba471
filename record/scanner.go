package record

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// errWord says that some other word or sign is there.
var errWord = errors.New("unexpected")

// scanner reads the little JavaScript that recordings are made of. It keeps
// one string at a time. At the end of its input all of it says ErrCut.
type scanner struct {
	in     *bufio.Reader
	file   string
	max    int // length of a string
	line   int
	offset int64
	buf    []byte // the string read last
}

// errorf is an error at the line at hand.
func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", s.file, s.line, fmt.Errorf(format, args...))
}

func (s *scanner) byte() (byte, error) {
	c, err := s.in.ReadByte()
	if err != nil {
		return 0, s.inputError(err)
	}
	s.offset++
	switch c {
	case '\n':
		s.line++
	case 0:
		return 0, s.zeros()
	}
	return c, nil
}

// inputError is err of reading the input, with the place.
func (s *scanner) inputError(err error) error {
	if err == io.EOF {
		return ErrCut
	}
	return s.errorf("cannot be read: %w", err)
}

// zeros is why there is a byte 0: a system that lost its power may leave some
// where a file's last bytes should be.
func (s *scanner) zeros() error {
	for {
		c, err := s.in.ReadByte()
		if err != nil {
			return s.inputError(err)
		}
		if c != 0 {
			return s.errorf("bytes of value 0: the file is damaged")
		}
	}
}

// unread takes back the byte read last, which is no line's end.
func (s *scanner) unread() {
	s.in.UnreadByte()
	s.offset--
}

// token returns the next byte that is no space.
func (s *scanner) token() (byte, error) {
	for {
		c, err := s.byte()
		if err != nil || c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, err
		}
	}
}

// expect reads want; errWord if it is not there.
func (s *scanner) expect(want byte) error {
	c, err := s.token()
	if err == nil && c != want {
		return errWord
	}
	return err
}

// word reads a short name; errWord if there is none.
func (s *scanner) word() (string, error) {
	c, err := s.token()
	s.buf = s.buf[:0]
	for ; err == nil && isLetter(c); c, err = s.byte() {
		if s.buf = append(s.buf, c); len(s.buf) > len("VNC_frame_encoding") {
			return "", errWord
		}
	}
	if err != nil {
		return "", err
	}
	if len(s.buf) == 0 {
		return "", errWord
	}
	if c != '\n' {
		s.unread()
	}
	return string(s.buf), nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

// text reads the rest of a string that began with quote, as the bytes it
// stands for: every character is one byte.
func (s *scanner) text(quote byte) ([]byte, error) {
	s.buf = s.buf[:0]
	for {
		c, err := s.byte()
		switch {
		case err != nil:
			return nil, err
		case c == quote:
			return s.buf, nil
		case c == '\n':
			s.line--
			return nil, s.errorf("the line ends inside a frame: its last quote is missing")
		case c == '\\':
			c, err = s.escaped()
		case c >= utf8.RuneSelf:
			c, err = s.latin1()
		}
		if err != nil {
			return nil, err
		}
		if len(s.buf) == s.max {
			return nil, s.errorf("a frame is larger than %d MiB: is its last quote missing?", s.max>>20)
		}
		s.buf = append(s.buf, c)
	}
}

// escaped reads what follows a backslash.
func (s *scanner) escaped() (byte, error) {
	c, err := s.byte()
	if err != nil {
		return 0, err
	}
	switch c {
	case 'n':
		return '\n', nil
	case 't':
		return '\t', nil
	case 'r':
		return '\r', nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'v':
		return '\v', nil
	case '0':
		return 0, nil
	case 'x':
		return s.hex(2)
	case 'u':
		return s.hex(4)
	case '\\', '\'', '"':
		return c, nil
	}
	return 0, s.errorf("a backslash before %q means nothing", c)
}

// hex reads a byte's value in n digits.
func (s *scanner) hex(n int) (byte, error) {
	v, digits := 0, [4]byte{}
	for i := range n {
		c, err := s.byte()
		if err != nil {
			return 0, err
		}
		digits[i] = c
		v = v<<4 | digit(c)
	}
	if v < 0 || v > 0xff {
		return 0, s.errorf("%q is no byte in %d hexadecimal digits", digits[:n], n)
	}
	return byte(v), nil
}

// digit is the value of a hexadecimal digit, negative if c is none.
func digit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// latin1 reads the rest of a character that is not ASCII.
func (s *scanner) latin1() (byte, error) {
	s.unread()
	c, size, err := s.in.ReadRune()
	if err != nil {
		return 0, s.inputError(err)
	}
	s.offset += int64(size)
	if c == utf8.RuneError && size == 1 || c > 0xff {
		return 0, s.errorf("a frame has a character that is no byte")
	}
	return byte(c), nil
}
