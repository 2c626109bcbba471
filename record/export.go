package record

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// format is one that recordings can be exported to.
type format struct {
	name   string
	export func(w *bufio.Writer, r *Reader, about summary) error
}

// formats returns them all; a table that refers to functions.
func formats() []format {
	return []format{{"asciicast", asciicast}, {"pcapng", pcapng}, {"text", text}}
}

// Formats lists what Export takes.
func Formats() (names []string) {
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// Export writes the recording file to w in another format: "asciicast"
// (version 2, for asciinema), "pcapng" (for Wireshark) or "text" (a frame a
// line). It reads the file twice, and w gets nothing unless all of it can be
// read. A recording that breaks off is exported as far as it goes, and then
// the error is ErrCut.
//
// Recordings do not say when they were made: the file's last change counts as
// the session's last frame.
func Export(w io.Writer, file, format string) error {
	for _, f := range formats() {
		if f.name == format {
			return exportFile(w, file, f)
		}
	}
	return fmt.Errorf("format %q is unknown: it is one of %s", format, strings.Join(Formats(), ", "))
}

func exportFile(w io.Writer, name string, to format) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	about, err := summarize(NewReader(file, name))
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	about.begun = info.ModTime().Add(-about.length)
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("a recording is read twice, so it must be a file: %w", err)
	}
	out := bufio.NewWriter(w)
	if err := to.export(out, NewReader(file, name), about); err != nil {
		return err
	}
	if err := out.Flush(); err != nil || !about.cut {
		return err
	}
	return ErrCut
}

// summary is what an export needs to know before the first frame.
type summary struct {
	begun  time.Time
	length time.Duration
	banner string // the start of the target's first bytes
	cut    bool
}

func summarize(r *Reader) (s summary, err error) {
	for {
		f, err := r.Next()
		if err == io.EOF {
			s.cut = r.Cut()
			return s, nil
		}
		if err != nil {
			return s, err
		}
		s.length = f.At
		if s.banner == "" && !f.ToTarget {
			s.banner = string(f.Data[:min(len(f.Data), 8)])
		}
	}
}

// text writes a frame a line: seconds, the direction, and the bytes, escaped
// as in the recording.
func text(w *bufio.Writer, r *Reader, _ summary) error {
	var line []byte
	for {
		f, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		arrow := "client <- target"
		if f.ToTarget {
			arrow = "client -> target"
		}
		line = fmt.Appendf(line[:0], "%9.3f %s  ", f.At.Seconds(), arrow)
		line = append(appendEscaped(line, f.Data, '\\'), '\n') // no quote, no more to escape
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
}
