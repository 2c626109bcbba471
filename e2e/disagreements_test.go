//go:build linux

package e2e

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"
)

// disagreements of servers over what clients say, and of clients over servers. The
// list is all of it: over everything else they are of one mind, as bridges are.
var disagreements = []disagreement{
	{"a length in more bits than it needs: autobahn refuses all, Node those of control frames", "5.2 binds who sends it; who can read it loses nothing",
		lengthy, []string{accepted, parted}},
	{"text that is not UTF-8: coder takes it", "8.1: MUST fail", misspelt, []string{"failed 1007"}},
	{"a Close whose code may not be sent and whose reason is not UTF-8: websockets finds the reason worse", "7.4.2: the code is read first",
		every(badCode, badReason), []string{"failed 1002"}},
	{"a Close whose reason is not UTF-8: coder takes it", "5.5.1: the reason is UTF-8, and 8.1: MUST fail", badReason, []string{"failed 1007"}},
	{"a Close with 1014: autobahn does not know it", "7.4.2: registered with IANA since", closesWith(1014), []string{parted}},
}

// onServers are those over what servers say that clients do not.
var onServers = []disagreement{
	{"a masked frame: coder takes it", "5.1: MUST fail", strange, []string{"failed 1002"}},
}

// strange: some frame is masked by the wrong side.
func strange(s speech) bool {
	return slices.ContainsFunc(s.frames, func(p piece) bool { return p.stranger })
}

// lengthy: some length is said in more bits than it needs.
func lengthy(s speech) bool {
	return slices.ContainsFunc(s.frames, func(p piece) bool { return p.bits() > fewest(len(p.payload)) })
}

// misspelt: there is text that is not UTF-8, the last words included.
func misspelt(s speech) bool {
	var text strings.Builder
	open := false
	for _, p := range s.frames {
		switch op := p.first & 0xf; {
		case op == opText, op == opContinuation && open:
			text.WriteString(p.payload)
			open = p.first&final == 0
			if !open && !utf8.ValidString(text.String()) {
				return true
			}
			if !open {
				text.Reset()
			}
		}
	}
	return !utf8.ValidString(text.String())
}

// every: all of them are.
func every(tests ...func(speech) bool) func(speech) bool {
	return func(s speech) bool {
		return !slices.ContainsFunc(tests, func(is func(speech) bool) bool { return !is(s) })
	}
}

func badReason(s speech) bool {
	return slices.ContainsFunc(s.frames, func(p piece) bool {
		return p.first == final|opClose && len(p.payload) > 2 && !utf8.ValidString(p.payload[2:])
	})
}

// badCode: there is a Close with one that RFC 6455, 7.4 does not let be sent.
func badCode(s speech) bool {
	return slices.ContainsFunc(s.frames, func(p piece) bool {
		code := p.code()
		return code >= 0 && code < 1000 || code >= 1004 && code <= 1006 || code >= 1015 && code < 3000 || code > 4999
	})
}

func closesWith(code int) func(speech) bool {
	return func(s speech) bool {
		return slices.ContainsFunc(s.frames, func(p piece) bool { return p.code() == code })
	}
}

// code is a Close frame's, -1 if there is none.
func (p piece) code() int {
	if p.first != final|opClose || len(p.payload) < 2 {
		return -1
	}
	return int(binary.BigEndian.Uint16([]byte(p.payload)))
}
