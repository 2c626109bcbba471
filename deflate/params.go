package deflate

import "strconv"

// Params is what a server and a client have agreed on (RFC 7692, 7.1).
type Params struct {
	ServerNoTakeover bool // every message of the server's is compressed by itself
	ClientNoTakeover bool // every message of the client's is
	ServerBits       int  // of the server's window, 8 to 15; 0: nothing was said, which is 15
	ClientBits       int  // of the client's
}

// Name is the extension's.
const Name = "permessage-deflate"

// Accept chooses the first of a client's offers that can be taken, and takes it
// as it is. lines are those of Sec-WebSocket-Extensions. False: there is none.
// The error is for a header that is none, which fails the handshake (RFC 6455,
// 9.1).
func Accept(lines []string) (p Params, ok bool, err error) {
	offers, err := parse(lines)
	if err != nil {
		return Params{}, false, err
	}
	for _, offer := range offers {
		if p, ok := offer.take(); ok {
			return p, true, nil
		}
	}
	return Params{}, false, nil
}

// String is the answer to the client.
func (p Params) String() string {
	s := Name
	if p.ServerNoTakeover {
		s += "; server_no_context_takeover"
	}
	if p.ClientNoTakeover {
		s += "; client_no_context_takeover"
	}
	if p.ServerBits != 0 {
		s += "; server_max_window_bits=" + strconv.Itoa(p.ServerBits)
	}
	if p.ClientBits != 0 {
		s += "; client_max_window_bits=" + strconv.Itoa(p.ClientBits)
	}
	return s
}

// take is false for an offer of something else, and for one with anything in it
// that RFC 7692 does not know.
func (o extension) take() (p Params, ok bool) {
	if o.name != Name {
		return p, false
	}
	seen := map[string]bool{}
	for _, param := range o.params {
		if seen[param.name] || !p.set(param) {
			return p, false
		}
		seen[param.name] = true
	}
	return p, true
}

func (p *Params) set(param param) (ok bool) {
	switch param.name {
	case "server_no_context_takeover":
		p.ServerNoTakeover, ok = true, !param.valued
	case "client_no_context_takeover":
		p.ClientNoTakeover, ok = true, !param.valued
	case "server_max_window_bits":
		p.ServerBits, ok = windowBits(param.value)
	case "client_max_window_bits":
		if !param.valued { // the client can take an answer, and gets none
			return true
		}
		p.ClientBits, ok = windowBits(param.value)
	}
	return ok
}

// windowBits reads 8 to 15 without leading zeros.
func windowBits(text string) (bits int, ok bool) {
	bits, err := strconv.Atoi(text)
	return bits, err == nil && 8 <= bits && bits <= maxBits && text == strconv.Itoa(bits)
}
