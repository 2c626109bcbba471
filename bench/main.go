//go:build linux

// Command bench measures what carrying bytes costs: the CPU time of wsbridge, of
// HAProxy forwarding raw TCP and of websockify for the same work, side by side, and
// their memory. README.md has the method and the last results.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == attackWord {
		os.Exit(attacker(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// attacker is the program as an attacker; it returns the exit code.
func attacker(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if err := assail(args, stdin, stdout); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// options are the command line.
type options struct {
	rounds                     int
	quick                      bool
	out                        string
	only, rows                 string
	wsbridge, base, websockify string
	pump                       string
}

// run is the program; it returns the exit code: 1 when something failed, 2 for a
// wrong command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	err = bench(ctx, o, stdout, stderr)
	if ctx.Err() != nil {
		err = errors.New("interrupted, nothing written")
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.rounds, "rounds", 5, "rounds per row; the table has their medians")
	f.BoolVar(&o.quick, "quick", false, "a smoke run of one round and tiny amounts; its figures mean nothing")
	f.StringVar(&o.out, "o", "", "also write the tables into the marked block of `FILE`, and pictures of them into charts/ beside it")
	f.StringVar(&o.only, "only", "", "only these columns, a comma-separated `LIST` of "+strings.Join(columnNames(), ", "))
	f.StringVar(&o.rows, "rows", "", "only rows whose title matches `REGEXP`; those of the other tables start with \"TLS \", \"growth: \", \"gateway: \", \"hub: \", \"attack: \"")
	f.StringVar(&o.wsbridge, "wsbridge", "", "measure this `FILE` instead of building wsbridge")
	f.StringVar(&o.base, "base", "", "measure this `FILE`, another build of wsbridge, in a column of its own")
	f.StringVar(&o.pump, "pump", "", "measure wsbridge with `--pump VALUE` too, in a column of its own")
	f.StringVar(&o.websockify, "websockify", "", "measure this `FILE`, another websockify, in a column of its own")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.rounds < 1 {
		fmt.Fprintln(stderr, "bench: takes no arguments, and at least 1 round (see -help)")
		return o, errors.New("usage")
	}
	return o, nil
}

func bench(ctx context.Context, o options, stdout, stderr io.Writer) error {
	dir, err := os.MkdirTemp("", "wsbridge-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := o.plan(dir, stderr)
	if err != nil {
		return err
	}
	sections := p.choose(o.sections(&program{file: o.wsbridge, dest: filepath.Join(dir, "wsbridge")}, p.amounts))
	stop, err := serveTargets(sections)
	if err != nil {
		return err
	}
	defer stop()
	missing := prepare(ctx, sections)
	text := describe(p.rounds, sections) + missing
	tables, err := p.measureAll(ctx, sections)
	if err != nil {
		return err
	}
	for _, t := range tables {
		text += "\n" + t.markdown()
	}
	fmt.Fprint(stdout, text)
	if err := o.save(text, tables); err != nil {
		return err
	}
	if slices.ContainsFunc(tables, (*table).failed) {
		return errors.New("some rows failed, see the notes below the tables")
	}
	return nil
}

// save writes the page and the charts that -o asks for.
func (o options) save(text string, tables []*table) error {
	if o.out == "" {
		return nil
	}
	if err := saveBlock(o.out, text); err != nil {
		return fmt.Errorf("write %s: %w", o.out, err)
	}
	return saveCharts(filepath.Join(filepath.Dir(o.out), "charts"), tables)
}

func (o options) plan(dir string, progress io.Writer) (plan, error) {
	p := plan{rounds: o.rounds, amounts: fullAmounts(), dir: dir, progress: progress}
	if o.quick {
		p.rounds, p.amounts = 1, quickAmounts()
	}
	if err := o.checkOnly(); err != nil {
		return p, err
	}
	rows, err := regexp.Compile(o.rows)
	if err != nil {
		return p, fmt.Errorf("-rows: %w", err)
	}
	p.rows = rows
	p.crypto, err = newCertificate(dir)
	return p, err
}

// serveTargets starts what is behind the proxies; stop ends it.
func serveTargets(sections []section) (stop func(), err error) {
	noise := newPattern()
	bytes, err := newTarget(noise)
	if err != nil {
		return nil, err
	}
	messages, err := newUpstream(noise)
	if err != nil {
		bytes.close()
		return nil, err
	}
	for i := range sections {
		switch sections[i].kind {
		case toBytes:
			sections[i].target = bytes
		case toMessages:
			sections[i].target = messages
		}
	}
	return func() { bytes.close(); messages.close() }, nil
}
