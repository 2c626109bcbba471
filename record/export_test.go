package record

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata anew")

// The exports of testdata/session.1 are testdata/session.FORMAT; look at them
// before a commit.
func TestExports(t *testing.T) {
	recording := filepath.Join(t.TempDir(), "session.1")
	if err := os.WriteFile(recording, []byte(readFile(t, "testdata/session.1")), 0o600); err != nil {
		t.Fatal(err)
	}
	lastFrame := time.Date(2026, 11, 21, 12, 0, 10, 0, time.UTC)
	if err := os.Chtimes(recording, lastFrame, lastFrame); err != nil {
		t.Fatal(err)
	}
	for _, format := range Formats() {
		var got bytes.Buffer
		if err := Export(&got, recording, format); err != nil {
			t.Fatal(err)
		}
		golden := "testdata/session." + format
		if *update {
			os.WriteFile(golden, got.Bytes(), 0o644)
		}
		if diff := cmp.Diff(readFile(t, golden), got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", format, diff)
		}
	}
}

func TestNothingIsExportedOfABrokenFile(t *testing.T) {
	good, broken := write(t, "'{0{x',"), write(t, "'{0{x',", "'{1{y'")
	for _, c := range []struct{ file, format, want string }{
		{good, "mp4", `format "mp4" is unknown: it is one of asciicast, pcapng, text`},
		{broken, "text", "session.1:4: a comma is missing"},
		{broken, "pcapng", "session.1:4: a comma is missing"},
		{good + ".none", "text", "no such file"},
	} {
		var out bytes.Buffer
		if err := Export(&out, c.file, c.format); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s to %s: %v, want %q", c.file, c.format, err, c.want)
		}
		if out.Len() > 0 {
			t.Errorf("%s to %s wrote %q", c.file, c.format, &out)
		}
	}
}

func TestAWriterThatIsFullEndsAnExport(t *testing.T) {
	file := write(t, "'{0{"+strings.Repeat("x", 100_000)+"',")
	for _, format := range Formats() {
		if err := Export(fullWriter{}, file, format); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v, want %v", format, err, io.ErrShortWrite)
		}
	}
}

type fullWriter struct{}

func (fullWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// A character may be cut between frames, in each direction by itself.
func TestACastHasWholeCharacters(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  string // o and i events joined
	}{
		"whole":               {[]string{`'{0{h\xc3\xa9',`}, "o:hé"},
		"cut once":            {[]string{`'{0{h\xc3',`, `'{1{\xa9!',`}, "o:h o:é!"},
		"cut thrice":          {[]string{`'{0{\xf0',`, `'{1{\x9f',`, `'{2{\x98',`, `'{3{\x80',`}, "o:😀"},
		"two directions":      {[]string{`'{0{\xc3',`, `'}1}\xe2\x82',`, `'{2{\xa9',`, `'}3}\xac',`}, "o:é i:€"},
		"never completed":     {[]string{`'{0{a\xe2\x82',`}, "o:a o:\ufffd\ufffd"},
		"not UTF-8":           {[]string{`'{0{a\xffb\x80',`}, "o:a\ufffdb\ufffd"},
		"cut and then others": {[]string{`'{0{\xe2',`, `'{1{abc',`}, "o:\ufffdabc"},
		"controls":            {[]string{`'{0{\x1b[1m"\x00\\\r\n',`}, "o:\x1b[1m\"\x00\\\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Export(&out, write(t, c.lines...), "asciicast"); err != nil {
				t.Fatal(err)
			}
			if got := castEvents(t, &out); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func castEvents(t *testing.T, cast io.Reader) string {
	t.Helper()
	lines := json.NewDecoder(cast)
	var head struct{ Version, Width, Height, Timestamp int }
	if err := lines.Decode(&head); err != nil || head.Version != 2 || head.Width == 0 || head.Height == 0 || head.Timestamp == 0 {
		t.Fatalf("header %+v, %v", head, err)
	}
	var events []string
	for last := 0.0; ; {
		var event []any
		if err := lines.Decode(&event); err == io.EOF {
			return strings.Join(events, " ")
		} else if err != nil {
			t.Fatal(err)
		}
		if at := event[0].(float64); at < last {
			t.Errorf("time runs back from %v to %v", last, at)
		} else {
			last = at
		}
		events = append(events, event[1].(string)+":"+event[2].(string))
	}
}

// A capture, taken apart by hand: whole blocks, good checksums, sequence
// numbers without a gap, and the recording's bytes.
func TestACaptureIsTheSession(t *testing.T) {
	large := strings.Repeat(`\x00\xff0123456789`, 8000)
	file := write(t, `'{0{RFB 003.008\n',`, `'}20}RFB 003.008\n',`, "'{1500{"+large+"',", "'}1501}odd',")
	var out bytes.Buffer
	if err := Export(&out, file, "pcapng"); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var want [2]string
	for _, f := range frames(t, NewReader(in, file)) {
		want[direction(f.ToTarget)] += string(f.Data)
	}
	got := readCapture(t, out.Bytes())
	for i := range want {
		if got.bytes[i] != want[i] {
			t.Errorf("direction %d: %d bytes, want %d", i, len(got.bytes[i]), len(want[i]))
		}
		if got.fins[i] != 1 {
			t.Errorf("direction %d has %d FINs", i, got.fins[i])
		}
	}
	if took := got.last - got.first; took != 1501*time.Millisecond {
		t.Errorf("the capture is %v long", took)
	}
}

// streams is what a capture holds, by direction.
type streams struct {
	bytes       [2]string
	fins        [2]int
	next        [2]uint32
	seen        [2]bool
	first, last time.Duration
}

func readCapture(t *testing.T, b []byte) (s streams) {
	t.Helper()
	for n := 0; len(b) > 0; n++ {
		kind, size := binary.LittleEndian.Uint32(b), int(binary.LittleEndian.Uint32(b[4:]))
		if size%4 != 0 || size > len(b) || int(binary.LittleEndian.Uint32(b[size-4:])) != size {
			t.Fatalf("block %d: size %d is not what its end says", n, size)
		}
		if want := []uint32{blockSection, blockInterface, blockPacket}[min(n, 2)]; kind != want {
			t.Fatalf("block %d is a %#x, want %#x", n, kind, want)
		}
		if n >= 2 {
			s.packet(t, b[8:size-4])
		}
		b = b[size:]
	}
	return s
}

func (s *streams) packet(t *testing.T, b []byte) {
	t.Helper()
	at := time.Duration(uint64(binary.LittleEndian.Uint32(b[4:]))<<32|uint64(binary.LittleEndian.Uint32(b[8:]))) * time.Microsecond
	if s.first == 0 {
		s.first = at
	}
	s.last = at
	ip := b[20 : 20+binary.LittleEndian.Uint32(b[12:])]
	tcp := ip[20:]
	if int(binary.BigEndian.Uint16(ip[2:])) != len(ip) || checksum(ip[:20]) != 0 {
		t.Fatalf("bad IP header: % x", ip[:20])
	}
	pseudo := append(bytes.Clone(ip[12:20]), 0, 6, byte(len(tcp)>>8), byte(len(tcp)))
	if checksum(append(pseudo, tcp...)) != 0 {
		t.Fatalf("bad TCP checksum: % x", tcp[:20])
	}
	way := direction(string(ip[12:16]) == captureClient)
	seq, ack, flags := binary.BigEndian.Uint32(tcp[4:]), binary.BigEndian.Uint32(tcp[8:]), tcp[13]
	if s.seen[way] && seq != s.next[way] || flags&flagACK != 0 && ack != s.next[1-way] {
		t.Fatalf("sequence number %d, acknowledged %d; want %d, %d", seq, ack, s.next[way], s.next[1-way])
	}
	s.seen[way] = true
	s.bytes[way] += string(tcp[20:])
	s.next[way] = seq + uint32(len(tcp)-20)
	if flags&(flagSYN|flagFIN) != 0 {
		s.next[way]++
	}
	if flags&flagFIN != 0 {
		s.fins[way]++
	}
}

// The checksum of RFC 1071's own example, section 3.
func TestChecksum(t *testing.T) {
	if got := checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != ^uint16(0xddf2) {
		t.Errorf("%#04x", got)
	}
}

func TestACaptureOfARecordingThatBreaksOffHasNoEnd(t *testing.T) {
	file := write(t)
	os.WriteFile(file, []byte(header+"'{0{RFB',\n'}1}x"), 0o600)
	var out bytes.Buffer
	if err := Export(&out, file, "pcapng"); err != ErrCut {
		t.Fatalf("%v, want %v", err, ErrCut)
	}
	if got := readCapture(t, out.Bytes()); got.fins != [2]int{} || got.bytes != [2]string{"RFB", ""} {
		t.Errorf("%+v", got)
	}
}

// Wireshark itself finds VNC in it, and nothing wrong with its TCP.
func TestWiresharkReadsACapture(t *testing.T) {
	tshark := need(t, "tshark")
	out, err := exec.Command(tshark, "-r", "testdata/session.pcapng", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
		"-T", "fields", "-e", "_ws.col.Protocol", "-e", "_ws.expert.message").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "VNC") {
		t.Errorf("no VNC was found:\n%s", out)
	}
	for _, wrong := range []string{"Malformed", "checksum", "not captured", "Full", "unseen", "Retransmission", "Out-Of-Order"} {
		if strings.Contains(string(out), wrong) {
			t.Errorf("tshark says %q:\n%s", wrong, out)
		}
	}
}
