package logs

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	facilityUser   = 1 // RFC 5424, 6.2.1
	facilityDaemon = 3

	appName = "wsbridge"

	// maxRecord is the most bytes of a record. Servers take 8 KiB as a rule,
	// and cut or refuse the rest.
	maxRecord = 8192
)

// format is how syslog records are written: RFC 5424, or the older BSD way
// without a time, which the server then adds.
type format struct {
	legacy   bool
	facility int
	host     string // as RFC 5424 has it: "-" when unknown
	pid      int
}

func newFormat(o Options) format {
	f := format{legacy: o.Legacy, facility: facilityUser, pid: os.Getpid()}
	if o.Daemon {
		f.facility = facilityDaemon
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	f.host = headerName(host)
	return f
}

// headerName makes a HOSTNAME of RFC 5424: 1 to 255 printable ASCII characters.
func headerName(s string) string {
	printable := func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '?'
		}
		return r
	}
	s = strings.Map(printable, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), 255)]
}

// record is text as one record, without what sets it apart from the next on
// the wire. However text looks, it cannot end the record or begin another.
func (f format) record(at time.Time, level slog.Level, text []byte) []byte {
	priority := f.facility*8 + severity(level)
	var b []byte
	if f.legacy {
		b = fmt.Appendf(b, "<%d>%s[%d]: ", priority, appName, f.pid)
	} else {
		b = fmt.Appendf(b, "<%d>1 %s %s %s %d - - ", priority, timestamp(at), f.host, appName, f.pid)
	}
	start := len(b)
	b = appendEscaped(b, text)
	if !f.legacy && !isASCII(b[start:]) {
		b = append(b[:start], "\ufeff"...)
		b = appendEscaped(b, text)
	}
	return shorten(b, maxRecord)
}

// severity is that of RFC 5424, 6.2.1: 7 debug, 6 informational, 5 notice, 4
// warning, 3 error, 2 critical.
func severity(level slog.Level) int {
	switch {
	case level < slog.LevelInfo:
		return 7
	case level < slog.LevelInfo+2:
		return 6
	case level < slog.LevelWarn:
		return 5
	case level < slog.LevelError:
		return 4
	case level < slog.LevelError+4:
		return 3
	}
	return 2
}

func timestamp(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.UTC().Format("2006-01-02T15:04:05.000000Z")
}

// appendEscaped adds text with control characters, and bytes that are not
// UTF-8, written as in Go: \n, \x1b, \u0085.
func appendEscaped(b, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r >= ' ' && r <= '~':
			b = append(b, text[0])
		case r == utf8.RuneError && size == 1:
			b = fmt.Appendf(b, `\x%02x`, text[0])
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', r == '\ufeff':
			quoted := strconv.AppendQuoteRuneToASCII(nil, r)
			b = append(b, quoted[1:len(quoted)-1]...)
		default:
			b = append(b, text[:size]...)
		}
		text = text[size:]
	}
	return b
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// shorten cuts a record that is longer than limit, between characters.
func shorten(record []byte, limit int) []byte {
	const mark = "..."
	if len(record) <= limit {
		return record
	}
	cut := limit - len(mark)
	for !utf8.RuneStart(record[cut]) {
		cut--
	}
	return append(record[:cut:cut], mark...)
}
