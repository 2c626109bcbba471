package record

import (
	"bufio"
	"encoding/binary"
	"io"
	"strings"
	"time"
)

// A capture's made-up network: addresses of documentation (RFC 5737), and a
// dynamic port for the client.
const (
	captureClient = "\xc0\x00\x02\x01" // 192.0.2.1
	captureTarget = "\xc0\x00\x02\x02" // 192.0.2.2
	capturePort   = 49152

	captureComment = "made from a recording: addresses, ports and TCP are made up, payload and times are not"

	segmentMax = 1460     // payload of a segment, as on an Ethernet
	ackEvery   = 16 << 10 // payload after which the other side acknowledges
	window     = 65535
)

// pcapng's block types, option codes and link type
// (draft-ietf-opsawg-pcapng, sections 3.5, 4.1, 4.2 and 4.3).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6
	byteOrderMagic = 0x1a2b3c4d
	optionComment  = 1
	linkRaw        = 101 // packets begin with their IP header
)

// TCP flags (RFC 9293, section 3.1).
const (
	flagFIN = 1 << iota
	flagSYN
	_
	flagPSH
	flagACK
)

// capture writes a session as the packets it could have been: TCP over IPv4,
// from the handshake to both FINs; no FIN if the recording breaks off. Times
// are in microseconds.
type capture struct {
	w      *bufio.Writer
	begun  time.Time
	ends   [2]endpoint // by direction of what they send: target, client
	packet []byte
}

type endpoint struct {
	address string
	port    uint16
	next    uint32 // sequence number of the next byte it sends
	id      uint16 // of its last packet
}

func pcapng(w *bufio.Writer, r *Reader, about summary) error {
	c := &capture{w: w, begun: about.begun}
	c.ends = [2]endpoint{{address: captureTarget, port: servicePort(about.banner)}, {address: captureClient, port: capturePort}}
	c.head()
	c.open()
	last := time.Duration(0)
	for {
		f, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		last = f.At
		if err := c.data(f); err != nil {
			return err
		}
	}
	if about.cut {
		return nil
	}
	return c.close(last)
}

// servicePort is the port by which the target's first bytes are known to
// Wireshark; a dynamic one if they are not.
func servicePort(banner string) uint16 {
	switch {
	case strings.HasPrefix(banner, "RFB "):
		return 5900
	case strings.HasPrefix(banner, "SSH-"):
		return 22
	case strings.HasPrefix(banner, "\xff"): // telnet's IAC
		return 23
	}
	return capturePort + 1
}

// head writes the blocks before the packets. Errors of w stay with it, here
// and below, and come back from the last write.
func (c *capture) head() {
	section := binary.LittleEndian.AppendUint32(nil, byteOrderMagic)
	section = append(section, 1, 0, 0, 0)                        // version 1.0
	section = binary.LittleEndian.AppendUint64(section, 1<<64-1) // length: not said
	section = binary.LittleEndian.AppendUint16(section, optionComment)
	section = binary.LittleEndian.AppendUint16(section, uint16(len(captureComment)))
	section = append(section, captureComment...)
	section = append(section, make([]byte, pad(len(captureComment))+4)...) // and the end of options
	c.block(blockSection, section)
	c.block(blockInterface, []byte{linkRaw, 0, 0, 0, 0, 0, 0, 0}) // no snap length
}

// block writes one block around body.
func (c *capture) block(kind uint32, body []byte) error {
	total := uint32(12 + len(body) + pad(len(body)))
	head := binary.LittleEndian.AppendUint32(nil, kind)
	c.w.Write(binary.LittleEndian.AppendUint32(head, total))
	c.w.Write(body)
	c.w.Write(make([]byte, pad(len(body))))
	_, err := c.w.Write(binary.LittleEndian.AppendUint32(nil, total))
	return err
}

// pad is how many bytes n lacks to a multiple of four.
func pad(n int) int { return -n & 3 }

// open is the handshake: the client calls.
func (c *capture) open() {
	c.segment(0, true, flagSYN, nil)
	c.segment(0, false, flagSYN|flagACK, nil)
	c.segment(0, true, flagACK, nil)
}

// close lets the target end first; who did is not recorded.
func (c *capture) close(at time.Duration) error {
	c.segment(at, false, flagFIN|flagACK, nil)
	c.segment(at, true, flagFIN|flagACK, nil)
	return c.segment(at, false, flagACK, nil)
}

// data writes a frame's segments and acknowledgements.
func (c *capture) data(f Frame) (err error) {
	for unacked, rest := 0, f.Data; len(rest) > 0 && err == nil; {
		n := min(len(rest), segmentMax)
		err = c.segment(f.At, f.ToTarget, flagPSH|flagACK, rest[:n])
		rest, unacked = rest[n:], unacked+n
		if unacked >= ackEvery || len(rest) == 0 {
			err = c.segment(f.At, !f.ToTarget, flagACK, nil)
			unacked = 0
		}
	}
	return err
}

// segment writes one packet.
func (c *capture) segment(at time.Duration, toTarget bool, flags byte, payload []byte) error {
	from, to := &c.ends[direction(toTarget)], &c.ends[direction(!toTarget)]
	size := 40 + len(payload)
	micros := uint64(c.begun.Add(at).UnixMicro())
	p := binary.LittleEndian.AppendUint32(c.packet[:0], 0) // interface
	p = binary.LittleEndian.AppendUint32(p, uint32(micros>>32))
	p = binary.LittleEndian.AppendUint32(p, uint32(micros))
	p = binary.LittleEndian.AppendUint32(p, uint32(size)) // captured
	p = binary.LittleEndian.AppendUint32(p, uint32(size)) // sent
	p = from.appendIPv4(p, to, size)
	p = from.appendTCP(p, to, flags, payload)
	c.packet = p
	from.next += uint32(len(payload))
	if flags&(flagSYN|flagFIN) != 0 {
		from.next++
	}
	return c.block(blockPacket, p)
}

// appendIPv4 appends the header of a packet of size (RFC 791, section 3.1).
func (from *endpoint) appendIPv4(p []byte, to *endpoint, size int) []byte {
	from.id++
	head := []byte{4<<4 | 5, 0}
	head = binary.BigEndian.AppendUint16(head, uint16(size))
	head = binary.BigEndian.AppendUint16(head, from.id)
	head = append(head, 0x40, 0, 64, 6, 0, 0) // do not fragment; 64 hops; TCP; checksum
	head = append(head, from.address...)
	head = append(head, to.address...)
	binary.BigEndian.PutUint16(head[10:], checksum(head))
	return append(p, head...)
}

// appendTCP appends a segment (RFC 9293, section 3.1).
func (from *endpoint) appendTCP(p []byte, to *endpoint, flags byte, payload []byte) []byte {
	size := 20 + len(payload)
	s := append([]byte(from.address), to.address...) // pseudo header, for the checksum
	s = append(s, 0, 6)
	s = binary.BigEndian.AppendUint16(s, uint16(size))
	head := len(s)
	s = binary.BigEndian.AppendUint16(s, from.port)
	s = binary.BigEndian.AppendUint16(s, to.port)
	s = binary.BigEndian.AppendUint32(s, from.next)
	acked := to.next
	if flags&flagACK == 0 {
		acked = 0
	}
	s = binary.BigEndian.AppendUint32(s, acked)
	s = append(s, 5<<4, flags)
	s = binary.BigEndian.AppendUint16(s, window)
	s = append(s, 0, 0, 0, 0) // checksum, urgent pointer
	s = append(s, payload...)
	binary.BigEndian.PutUint16(s[head+16:], checksum(s))
	return append(p, s[head:]...)
}

// checksum is the internet's (RFC 1071).
func checksum(p []byte) uint16 {
	sum := uint32(0)
	for ; len(p) > 1; p = p[2:] {
		sum += uint32(p[0])<<8 | uint32(p[1])
	}
	if len(p) == 1 {
		sum += uint32(p[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
