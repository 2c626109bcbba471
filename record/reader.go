package record

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// frameMax is the longest payload, as it stands in the file, that Reader takes.
const frameMax = 64 << 20

// ErrCut says that a recording breaks off.
var ErrCut = errors.New("the recording breaks off: its recorder was killed, or still writes")

// Reader reads a recording frame by frame: this package's, websockify's of any
// age (base64 too), and websockify-js's. A file that breaks off, because its
// recorder lives or was killed, ends with its last whole frame.
type Reader struct {
	scanner
	begun  bool
	cut    bool
	end    error // how the recording ended, once it has
	base64 *bool // nil: the first frame will tell
	last   time.Duration
	whole  int64 // offset after the last whole frame and its comma
}

// NewReader reads the recording in; name is what errors call it.
func NewReader(in io.Reader, name string) *Reader {
	return &Reader{scanner: scanner{in: bufio.NewReaderSize(in, 64<<10), file: name, max: frameMax, line: 1}}
}

// Next returns the next frame, or io.EOF. Its Data is valid until the next
// call. Times never run backwards. An error names file and line.
func (r *Reader) Next() (f Frame, err error) {
	if r.end == nil {
		if f, err = r.next(); err == nil {
			return f, nil
		}
		r.cut = err == ErrCut
		if r.end = err; r.cut {
			r.end = io.EOF
		}
	}
	return Frame{}, r.end
}

// Cut reports, after io.EOF, that the recording breaks off.
func (r *Reader) Cut() bool { return r.cut }

func (r *Reader) next() (Frame, error) {
	if err := r.begin(); err != nil {
		return Frame{}, err
	}
	c, err := r.token()
	if err != nil {
		return Frame{}, err
	}
	switch c {
	case ']':
		return Frame{}, r.finish()
	case '\'', '"':
		return r.element(c)
	}
	return Frame{}, r.errorf("a frame in quotes is missing")
}

// begin reads up to the first frame, once.
func (r *Reader) begin() error {
	if r.begun {
		return nil
	}
	if start, err := r.in.Peek(len(header)); err == io.EOF && strings.HasPrefix(header, string(start)) {
		return ErrCut
	}
	for !r.begun {
		if err := r.statement(); err == ErrCut || err == errWord {
			return r.errorf("not a recording: %q is missing; only files of --record can be read", strings.TrimSpace(header))
		} else if err != nil {
			return err
		}
	}
	r.whole = r.offset
	return nil
}

// statement reads a statement before the frames, or what leads to the frames.
func (r *Reader) statement() error {
	name, err := r.variable()
	if err != nil {
		return err
	}
	if err := r.expect('='); err != nil {
		return err
	}
	switch name {
	case "VNC_frame_data":
		r.begun = true
		return r.expect('[')
	case "VNC_frame_encoding":
		return r.encoding()
	}
	return errWord
}

// variable reads a variable's name, and the var, let or const before it.
func (r *Reader) variable() (string, error) {
	name, err := r.word()
	if err == nil && (name == "var" || name == "let" || name == "const") {
		return r.word()
	}
	return name, err
}

// encoding reads the rest of var VNC_frame_encoding = 'base64'; which
// recordings before websockify 0.9 have.
func (r *Reader) encoding() error {
	quote, err := r.token()
	if err != nil {
		return err
	}
	if quote != '\'' && quote != '"' {
		return errWord
	}
	encoding, err := r.text(quote)
	if err != nil {
		return err
	}
	is64 := string(encoding) == "base64"
	if !is64 && string(encoding) != "binary" {
		return r.errorf("encoding %q is unknown: it is base64 or binary", encoding)
	}
	r.base64 = &is64
	return r.expect(';')
}

// element reads one string of the list and what follows it.
func (r *Reader) element(quote byte) (Frame, error) {
	text, err := r.text(quote)
	if err != nil {
		return Frame{}, err
	}
	if string(text) == "EOF" {
		if err := r.expect(']'); err != nil {
			return Frame{}, r.missing("]", err)
		}
		return Frame{}, r.finish()
	}
	f, err := r.frame(text)
	if err != nil {
		return Frame{}, err
	}
	if err := r.expect(','); err != nil {
		return Frame{}, r.missing("comma", err)
	}
	r.whole = r.offset
	return f, nil
}

// missing says what expect did not find.
func (r *Reader) missing(what string, err error) error {
	if err == errWord {
		return r.errorf("a %s is missing", what)
	}
	return err
}

// finish reads what follows the list.
func (r *Reader) finish() error {
	c, err := r.token()
	if err == nil && c == ';' {
		_, err = r.token()
	}
	switch err {
	case nil:
		return r.errorf("more follows the recording's end: is it two files in one?")
	case ErrCut:
		return io.EOF
	}
	return err
}

// frame takes an element's text apart.
func (r *Reader) frame(text []byte) (f Frame, err error) {
	if len(text) == 0 || text[0] != '{' && text[0] != '}' {
		return f, r.errorf("a frame begins with { or }")
	}
	f.ToTarget = text[0] == '}'
	at, n := milliseconds(text[1:])
	if n == 0 || 1+n == len(text) || text[1+n] != text[0] {
		return f, r.errorf("a frame begins with its time in milliseconds between two %c", text[0])
	}
	r.last = max(r.last, at)
	f.At, f.Data = r.last, text[n+2:]
	if r.base64 == nil { // as noVNC does: "RFB", the start of every VNC session
		is64 := bytes.HasPrefix(f.Data, []byte("UkZC"))
		r.base64 = &is64
	}
	if *r.base64 {
		n, err := base64.StdEncoding.Decode(f.Data, f.Data)
		if err != nil {
			return f, r.errorf("a frame is not the base64 that the recording is in: %w", err)
		}
		f.Data = f.Data[:n]
	}
	return f, nil
}

// milliseconds reads the number that text starts with and its length, 0 if
// there is none or it is more than thirty years. A clock that was set back
// makes negative ones.
func milliseconds(text []byte) (at time.Duration, n int) {
	for n < len(text) && (text[n] >= '0' && text[n] <= '9' || n == 0 && text[n] == '-') {
		if n++; n > len("-999999999999") {
			return 0, 0
		}
	}
	ms, err := strconv.ParseInt(string(text[:n]), 10, 64)
	if err != nil {
		return 0, 0
	}
	return time.Duration(ms) * time.Millisecond, n
}
