package check

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Printer writes a report for people, a line for each step as it is done.
type Printer struct {
	To    io.Writer
	Color bool
	Quiet bool // only what is not well, and the result
	err   error
}

// success is the line that people's scripts look for.
const success = "Successfully established secure WebSocket connection"

// Step writes one line.
func (p *Printer) Step(s Step) {
	if p.Quiet && (s.Status == OK || s.Status == Skip) {
		return
	}
	time := ""
	if s.Status != Skip {
		time = fmt.Sprintf("  (%.1f ms)", s.MS)
	}
	p.printf("%s  %-9s  %s%s\n", p.status(s.Status), s.Name, s.Detail, time)
}

// Result writes what is left to say, and returns the first error of writing.
func (p *Printer) Result(r Report) error {
	if r.Secure {
		p.printf("%s\n", success)
	}
	failed, warned := "", 0
	for _, s := range r.Steps {
		if s.Status == Fail && failed == "" {
			failed = s.Name
		} else if s.Status == Warn {
			warned++
		}
	}
	result := "RESULT " + strings.TrimSpace(p.status(r.Result))
	switch {
	case failed != "":
		result += " in step " + failed
	case warned > 0:
		result += fmt.Sprintf(": %d to look at", warned)
	}
	if r.Exit != 0 {
		result += fmt.Sprintf(" (exit status %d)", r.Exit)
	}
	p.printf("%s\n", result)
	return p.err
}

func (p *Printer) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(p.To, format, args...); p.err == nil {
		p.err = err
	}
}

// colours of a terminal (ECMA-48, 8.3.117).
var colours = map[Status]string{OK: "32", Warn: "33", Fail: "1;31", Skip: "2"}

// status is four letters wide.
func (p *Printer) status(s Status) string {
	word := fmt.Sprintf("%-4s", s)
	if s == Fail {
		word = "FAIL"
	}
	if p.Color {
		return "\x1b[" + colours[s] + "m" + word + "\x1b[0m"
	}
	return word
}

// JSON writes the whole report for a program.
func (r Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}
