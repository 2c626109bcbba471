//go:build linux

package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"

	"github.com/gobwas/ws"
)

// An errand is a session that can tell whether a byte was lost: both sides say size
// bytes at once that follow from the seed; then the target says the SHA-256 of what
// it heard. The client tells it all this first.
type errand struct{ Seed, Size uint64 }

// said is the stream of one side.
func (e errand) said(by byte) io.Reader {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], e.Seed)
	seed[31] = by
	return io.LimitReader(rand.NewChaCha8(seed), int64(e.Size))
}

func (e errand) sum(by byte) []byte {
	sum := sha256.New()
	io.Copy(sum, e.said(by))
	return sum.Sum(nil)
}

const (
	client  = 'c'
	service = 't'
)

// runErrands is the target: it does what one client asks, and stays until that goes.
func runErrands(conn net.Conn) {
	var e errand
	if binary.Read(conn, binary.BigEndian, &e) != nil {
		return
	}
	heard := make(chan []byte)
	go func() {
		sum := sha256.New()
		io.CopyN(sum, conn, int64(e.Size))
		heard <- sum.Sum(nil)
	}()
	io.Copy(conn, e.said(service))
	conn.Write(<-heard)
	io.Copy(io.Discard, conn)
}

// run has a session for the errand, in frames of any size.
func (e errand) run(v *visitor) error {
	said := make(chan error, 1)
	go func() { said <- e.say(v) }()
	err := e.hear(v)
	if err != nil {
		v.conn.Close()
	}
	return errors.Join(err, <-said)
}

func (e errand) say(v *visitor) error {
	hello, _ := binary.Append(nil, binary.BigEndian, e)
	from, size := io.MultiReader(bytes.NewReader(hello), e.said(client)), rand.New(rand.NewPCG(e.Seed, 0))
	for payload := make([]byte, 40_000); ; {
		n, err := io.ReadFull(from, payload[:1+size.IntN(len(payload))])
		if n == 0 && err == io.EOF {
			return nil
		}
		if err := v.say(ws.NewBinaryFrame(payload[:n])); err != nil {
			return fmt.Errorf("saying: %w", err)
		}
	}
}

// say sends a frame by one write, so that two may do so at once.
func (v *visitor) say(frame ws.Frame) error {
	_, err := v.conn.Write(ws.MustCompileFrame(ws.MaskFrame(frame)))
	return err
}

func (e errand) hear(v *visitor) error {
	sum, left := sha256.New(), e.Size
	var last []byte // words of the target
	for uint64(len(last)) < sha256.Size {
		payload, err := v.data()
		if err != nil {
			return fmt.Errorf("%d bytes before the end of %d: %w", left, e.Size, err)
		}
		n := min(left, uint64(len(payload)))
		sum.Write(payload[:n])
		left -= n
		last = append(last, payload[n:]...)
	}
	if !bytes.Equal(sum.Sum(nil), e.sum(service)) {
		return errors.New("other bytes arrived at the client than were sent")
	}
	if !bytes.Equal(last, e.sum(client)) {
		return errors.New("other bytes arrived at the target than were sent")
	}
	return nil
}

// data is the next payload; a ping on the way is answered, a Close is an error.
func (v *visitor) data() ([]byte, error) {
	for {
		first, payload, err := v.frame()
		switch {
		case err != nil:
			return nil, err
		case first == binaryFrame:
			return payload, nil
		case first == pingFrame:
			if err := v.say(ws.NewPongFrame(payload)); err != nil {
				return nil, err
			}
		case first == closeFrame && len(payload) >= 2:
			return nil, goodbye{binary.BigEndian.Uint16(payload), string(payload[2:])}
		default:
			return nil, fmt.Errorf("a frame %#x %q", first, payload)
		}
	}
}

// listen answers pings until the session ends, and returns why.
func (v *visitor) listen() error {
	for {
		if _, err := v.data(); err != nil {
			return err
		}
	}
}

// goodbye is a Close frame as an error.
type goodbye struct {
	code   uint16
	reason string
}

func (g goodbye) Error() string { return fmt.Sprintf("closed %d %s", g.code, g.reason) }

// chat says something, and wants it back.
func (v *visitor) chat(said []byte) error {
	if err := v.say(ws.NewBinaryFrame(said)); err != nil {
		return err
	}
	var heard []byte
	for len(heard) < len(said) {
		payload, err := v.data()
		if err != nil {
			return fmt.Errorf("%d bytes of %d came back: %w", len(heard), len(said), err)
		}
		heard = append(heard, payload...)
	}
	if !bytes.Equal(heard, said) {
		return errOtherBytes
	}
	return nil
}
