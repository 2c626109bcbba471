package hub

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"github.com/wsbridge/wsbridge/message"
)

// nodeID tells processes apart; it is random.
type nodeID [16]byte

// envelope is a message between hubs. On the wire: version, node, sequence (8
// bytes, big endian), kind, number of groups, and for each its length and key;
// the rest is the message. Numbers are varints.
type envelope struct {
	origin   nodeID
	sequence uint64
	groups   []string
	message  message.Message
}

const (
	envelopeVersion = 1
	kindBinary      = 0
	kindText        = 1
)

var errEnvelope = errors.New("not a message of a hub of this version")

// size is at least the length of the wire form.
func (e envelope) size() int {
	n := 1 + len(e.origin) + 8 + 1 + binary.MaxVarintLen64 + len(e.message.Data)
	for _, g := range e.groups {
		n += binary.MaxVarintLen32 + len(g)
	}
	return n
}

// append appends the wire form.
func (e envelope) append(b []byte) []byte {
	b = append(b, envelopeVersion)
	b = append(b, e.origin[:]...)
	b = binary.BigEndian.AppendUint64(b, e.sequence)
	kind := byte(kindBinary)
	if e.message.Text {
		kind = kindText
	}
	b = append(b, kind)
	b = binary.AppendUvarint(b, uint64(len(e.groups)))
	for _, g := range e.groups {
		b = binary.AppendUvarint(b, uint64(len(g)))
		b = append(b, g...)
	}
	return append(b, e.message.Data...)
}

// parseEnvelope reads b, parts of which become the message's.
func parseEnvelope(b []byte) (e envelope, err error) {
	const fixed = 1 + len(e.origin) + 8 + 1
	if len(b) < fixed || b[0] != envelopeVersion || b[fixed-1] > kindText {
		return e, errEnvelope
	}
	copy(e.origin[:], b[1:])
	e.sequence = binary.BigEndian.Uint64(b[1+len(e.origin):])
	e.message.Text = b[fixed-1] == kindText
	b = b[fixed:]
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)) {
		return e, errEnvelope
	}
	for b = b[size:]; n > 0; n-- {
		length, size := binary.Uvarint(b)
		if size <= 0 || length > uint64(len(b)-size) {
			return e, errEnvelope
		}
		e.groups = append(e.groups, string(b[size:size+int(length)]))
		b = b[size+int(length):]
	}
	if e.message.Data = b; e.message.Text && !utf8.Valid(b) {
		return e, errEnvelope
	}
	return e, nil
}
