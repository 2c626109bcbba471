package logs

import (
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var someTime = time.Date(2026, 11, 21, 21, 17, 14, 123456789, time.FixedZone("", 3600))

// The golden records: what a server gets, apart from the framing.
func TestRecord(t *testing.T) {
	modern := format{facility: facilityUser, host: "box.example.org", pid: 42}
	daemon := format{facility: facilityDaemon, host: "-", pid: 1}
	legacy := format{legacy: true, facility: facilityUser, pid: 42}
	tests := []struct {
		name   string
		format format
		level  slog.Level
		text   string
		want   string
	}{
		{"plain", modern, slog.LevelInfo, "stopped", "<14>1 2026-11-21T20:17:14.123456Z box.example.org wsbridge 42 - - stopped"},
		{"daemon", daemon, slog.LevelError, "broken", "<27>1 2026-11-21T20:17:14.123456Z - wsbridge 1 - - broken"},
		{"not ASCII", modern, slog.LevelWarn, "grün", "<12>1 2026-11-21T20:17:14.123456Z box.example.org wsbridge 42 - - \xef\xbb\xbfgrün"},
		{"forged", modern, slog.LevelInfo, "a\n<0>1 - - - - - - root\r\x00", `<14>1 2026-11-21T20:17:14.123456Z box.example.org wsbridge 42 - - a\n<0>1 - - - - - - root\r\x00`},
		{"not UTF-8", modern, slog.LevelInfo, "\xffx", `<14>1 2026-11-21T20:17:14.123456Z box.example.org wsbridge 42 - - \xffx`},
		{"empty", modern, slog.LevelInfo, "", "<14>1 2026-11-21T20:17:14.123456Z box.example.org wsbridge 42 - - "},
		{"legacy", legacy, slog.LevelDebug, "grün", "<15>wsbridge[42]: grün"},
		{"legacy, forged", legacy, slog.LevelDebug, "a\n<0>root: b", `<15>wsbridge[42]: a\n<0>root: b`},
		{"terminal, line ends of Unicode, second BOM", legacy, slog.LevelInfo, "\x1b[2J\u0085\u2028\u2029\ufeff\x7f", `<14>wsbridge[42]: \x1b[2J\u0085\u2028\u2029\ufeff\x7f`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, string(tt.format.record(someTime, tt.level, []byte(tt.text)))); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRecordWithoutTime(t *testing.T) {
	f := format{facility: facilityUser, host: "h", pid: 1}
	if got, want := string(f.record(time.Time{}, 0, []byte("x"))), "<14>1 - h wsbridge 1 - - x"; got != want {
		t.Errorf("record %q, want %q", got, want)
	}
}

func TestSeverity(t *testing.T) {
	tests := []struct {
		level slog.Level
		want  int
	}{
		{-8, 7}, {slog.LevelDebug, 7}, {-1, 7},
		{slog.LevelInfo, 6}, {1, 6}, {2, 5}, {3, 5},
		{slog.LevelWarn, 4}, {7, 4}, {slog.LevelError, 3}, {11, 3}, {12, 2}, {99, 2},
	}
	for _, tt := range tests {
		if got := severity(tt.level); got != tt.want {
			t.Errorf("severity(%d) = %d, want %d", tt.level, got, tt.want)
		}
	}
}

func TestHeaderName(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "-",
		"box.example.org":        "box.example.org",
		"two words\n":            "two?words?",
		"bücher":                 "b?cher",
		strings.Repeat("a", 300): strings.Repeat("a", 255),
	} {
		if got := headerName(in); got != want {
			t.Errorf("headerName(%q) = %q, want %q", in, got, want)
		}
	}
}

// A long record is cut where a character ends, and says so.
func TestRecordIsCut(t *testing.T) {
	f := format{facility: facilityUser, host: "h", pid: 1}
	for n := maxRecord - 60; n < maxRecord+8; n++ {
		got := f.record(someTime, 0, []byte(strings.Repeat("a", n)+strings.Repeat("ü€😀", 10)))
		if len(got) > maxRecord || !utf8.Valid(got) || !strings.HasSuffix(string(got), "...") {
			t.Fatalf("%d letters: %d bytes, end %q", n, len(got), got[len(got)-20:])
		}
	}
	whole := strings.Repeat("a", maxRecord-len(f.record(someTime, 0, nil)))
	if got := f.record(someTime, 0, []byte(whole)); len(got) != maxRecord || !strings.HasSuffix(string(got), "aaa") {
		t.Errorf("a record of %d bytes is cut: %q", maxRecord, got[len(got)-20:])
	}
}

// modernRecord is RFC 5424, 6, without structured data.
var modernRecord = regexp.MustCompile(`^<(\d{1,3})>1 (-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([!-~]{1,255}) wsbridge (\d+) - - (?s:(\x{feff}?)(.*))$`)

// Whatever is said, it is one record of one line, in UTF-8.
func FuzzRecord(f *testing.F) {
	f.Add("stopped", 0)
	f.Add("a\n<0>1 - - - - - - b", 4)
	f.Add("\ufeff\xff\u2028ü", -4)
	f.Fuzz(func(t *testing.T, text string, level int) {
		modern := format{facility: facilityDaemon, host: "h", pid: 1}
		got := string(modern.record(someTime, slog.Level(level), []byte(text)))
		parts := modernRecord.FindStringSubmatch(got)
		if parts == nil {
			t.Fatalf("not RFC 5424: %q", got)
		}
		cut := strings.HasSuffix(parts[6], "...") // what the mark is for may be gone with the rest
		needed := strings.ContainsFunc(parts[6], func(r rune) bool { return r > '~' })
		if marked := parts[5] != ""; marked != needed && !(marked && cut) {
			t.Errorf("a mark of the byte order: %v, in %q", marked, got)
		}
		checkLine(t, parts[6])
		modern.legacy = true
		rest, ok := strings.CutPrefix(string(modern.record(someTime, slog.LevelInfo, []byte(text))), "<30>wsbridge[1]: ")
		if !ok {
			t.Errorf("not the BSD form: %q", rest)
		}
		checkLine(t, rest)
	})
}

func checkLine(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufeff'
	}) {
		t.Errorf("not one line of UTF-8: %q", s)
	}
}
