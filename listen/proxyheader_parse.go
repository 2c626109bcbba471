package listen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"strconv"
	"strings"
)

// proxied is what a PROXY header says; not valid: nothing.
type proxied struct{ client, local netip.AddrPort }

const (
	signature1 = "PROXY "
	signature2 = "\r\n\r\n\x00\r\nQUIT\n"

	shortest1 = len("PROXY UNKNOWN\r\n")
	longest1  = 107 // with its CRLF; proxy-protocol.txt, 2.1
	fixed2    = 16  // signature, command, family, length; 2.2
	longest2  = 4096
)

// parseProxyHeader reads a header as far as it has come; b begins with its
// first byte. more, if not 0, is how many bytes surely belong to it still. An
// error comes with the first byte that can be told to be wrong.
func parseProxyHeader(b []byte) (h proxied, more int, err error) {
	switch {
	case len(b) == 0:
		return h, shortest1, nil
	case begins(b, signature2):
		return parseProxy2(b)
	case begins(b, signature1):
		return parseProxy1(b)
	}
	return h, 0, fmt.Errorf("the connection begins with %.12q", b)
}

// begins tells whether b begins with s, as far as it has come.
func begins(b []byte, s string) bool {
	return string(b[:min(len(b), len(s))]) == s[:min(len(b), len(s))]
}

func parseProxy1(b []byte) (h proxied, more int, err error) {
	end := bytes.IndexByte(b, '\n')
	switch {
	case end < 0 && len(b) >= longest1:
		return h, 0, fmt.Errorf("no end of line within %d bytes", longest1)
	case end < 0:
		return h, max(1, shortest1-len(b)), nil
	case end != len(b)-1:
		return h, 0, errors.New("its line is too short")
	}
	line, ok := strings.CutSuffix(string(b), "\r\n")
	if !ok {
		return h, 0, errors.New("its line ends without CR")
	}
	h, err = parseLine(line)
	return h, 0, err
}

// parseLine reads version 1 without its CRLF.
func parseLine(line string) (h proxied, err error) {
	words := strings.Split(line, " ")
	if words[1] == "UNKNOWN" {
		return h, nil
	}
	if len(words) != 6 || words[1] != "TCP4" && words[1] != "TCP6" {
		return h, fmt.Errorf("%q is not PROXY TCP4 or TCP6 with two addresses and two ports", line)
	}
	is6 := words[1] == "TCP6"
	if h.client, err = parseEnd(words[2], words[4], is6); err == nil {
		h.local, err = parseEnd(words[3], words[5], is6)
	}
	if err != nil {
		return proxied{}, err
	}
	return h, nil
}

func parseEnd(ip, port string, is6 bool) (netip.AddrPort, error) {
	addr, err := netip.ParseAddr(ip)
	if err != nil || addr.Is6() != is6 || addr.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("address %q is none of its family", ip)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != port {
		return netip.AddrPort{}, fmt.Errorf("port %q is not a number from 0 to 65535", port)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), nil
}

func parseProxy2(b []byte) (h proxied, more int, err error) {
	if len(b) < fixed2 {
		return h, fixed2 - len(b), nil
	}
	version, command, length := b[12]>>4, b[12]&15, int(binary.BigEndian.Uint16(b[14:]))
	switch {
	case version != 2:
		return h, 0, fmt.Errorf("version %d is neither 1 nor 2", version)
	case command > 1:
		return h, 0, fmt.Errorf("command %d is neither LOCAL nor PROXY", command)
	case length > longest2:
		return h, 0, fmt.Errorf("it says to have %d bytes more, and may have %d", length, longest2)
	case len(b) < fixed2+length:
		return h, fixed2 + length - len(b), nil
	case command == 0: // the proxy itself, say to see whether we are well
		return h, 0, nil
	}
	h, tlvs, err := parseAddresses(b)
	if err == nil {
		err = checkTLVs(b, tlvs)
	}
	if err != nil {
		return proxied{}, 0, err
	}
	return h, 0, nil
}

// parseAddresses reads the addresses of a whole header of version 2. Those of
// unix sockets, and what is not said, leave the connection's own. tlvs is where
// what follows them begins.
func parseAddresses(b []byte) (h proxied, tlvs int, err error) {
	size, ok := sizes[b[13]]
	if !ok {
		return h, 0, fmt.Errorf("family and protocol %#02x are not those of a stream", b[13])
	}
	addresses := b[fixed2:]
	if len(addresses) < size {
		return h, 0, fmt.Errorf("%d bytes are too few for its addresses", len(addresses))
	}
	if ip := size/2 - 2; ip == 4 || ip == 16 {
		h.client = endOf(addresses[:ip], addresses[2*ip:])
		h.local = endOf(addresses[ip:2*ip], addresses[2*ip+2:])
	}
	return h, fixed2 + size, nil
}

// sizes is of the two addresses and ports, by family and protocol (2.2): not
// said, TCP over IPv4, over IPv6, unix.
var sizes = map[byte]int{0x00: 0, 0x11: 2*4 + 2*2, 0x21: 2*16 + 2*2, 0x31: 2 * 108}

func endOf(ip, port []byte) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(port))
}

// castagnoli is the polynomial of a header's checksum (2.2.3).
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// typeCRC32C is the one kind of TLV that is looked at.
const typeCRC32C = 3

// checkTLVs holds the TLVs of a whole header, which begin at i, against their
// lengths, and a checksum among them against the header.
func checkTLVs(b []byte, i int) error {
	for i < len(b) {
		if len(b)-i < 3 || len(b)-i-3 < int(binary.BigEndian.Uint16(b[i+1:])) {
			return errors.New("its last TLV is cut off")
		}
		value := i + 3
		next := value + int(binary.BigEndian.Uint16(b[i+1:]))
		if b[i] == typeCRC32C {
			if next-value != 4 || binary.BigEndian.Uint32(b[value:]) != checksum(b, value) {
				return errors.New("its checksum is wrong")
			}
		}
		i = next
	}
	return nil
}

// checksum is that of a header whose own, at i, counts as zeros.
func checksum(b []byte, i int) uint32 {
	sum := crc32.Update(0, castagnoli, b[:i])
	sum = crc32.Update(sum, castagnoli, make([]byte, 4))
	return crc32.Update(sum, castagnoli, b[i+4:])
}
