// Package record writes, reads, exports and replays recordings of sessions.
//
// A recording is websockify's: a script that noVNC's tests/vnc_playback.html
// loads and plays.
//
//	var VNC_frame_data = [
//	'{MS{PAYLOAD',        bytes of the target, to the client
//	'}MS}PAYLOAD',        bytes of the client, to the target
//	'EOF'];
//
// MS is milliseconds since the session began. PAYLOAD is printable ASCII as it
// is; \\ \' \t \n \r; and \xHH, in lower case, for all other bytes. Nothing
// says who the client was, or when. A recording holds all that was typed,
// passwords too.
package record

import (
	"strconv"
	"time"
)

const (
	header     = "var VNC_frame_data = [\n"
	terminator = "'EOF'];\n"
)

// Frame is what one read from one side of a session brought.
type Frame struct {
	At       time.Duration // since the session began; whole milliseconds in a file
	ToTarget bool          // from the client to the target; else the other way
	Data     []byte
}

// mark opens a frame's line and ends its time.
func (f Frame) mark() byte {
	if f.ToTarget {
		return '}'
	}
	return '{'
}

// appendFrame appends f's line.
func appendFrame(dst []byte, f Frame) []byte {
	dst = append(dst, '\'', f.mark())
	dst = strconv.AppendInt(dst, f.At.Milliseconds(), 10)
	dst = append(dst, f.mark())
	dst = appendEscaped(dst, f.Data, '\'')
	return append(dst, "',\n"...)
}

// lineRoom is the most that a frame of n bytes takes in a file.
func lineRoom(n int) int { return 4*n + len("'{{',\n") + len("-9223372036854") }

// appendEscaped appends p as printable ASCII on one line. The backslash and
// quote get a backslash.
func appendEscaped(dst, p []byte, quote byte) []byte {
	const hex = "0123456789abcdef"
	for _, b := range p {
		switch {
		case b == '\\' || b == quote:
			dst = append(dst, '\\', b)
		case ' ' <= b && b <= '~':
			dst = append(dst, b)
		case b == '\t':
			dst = append(dst, `\t`...)
		case b == '\n':
			dst = append(dst, `\n`...)
		case b == '\r':
			dst = append(dst, `\r`...)
		default:
			dst = append(dst, '\\', 'x', hex[b>>4], hex[b&15])
		}
	}
	return dst
}
