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
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are the command line.
type options struct {
	rounds         int
	quick          bool
	out            string
	only, rows     string
	wsbridge, base string
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
	f.StringVar(&o.out, "o", "", "also write the tables into the marked block of `FILE`")
	f.StringVar(&o.only, "only", "", "only these columns, a comma-separated `LIST` of wsbridge, base, haproxy, splice, websockify")
	f.StringVar(&o.rows, "rows", "", "only rows whose title matches `REGEXP`; rows of the second table start with \"TLS \"")
	f.StringVar(&o.wsbridge, "wsbridge", "", "measure this `FILE` instead of building wsbridge")
	f.StringVar(&o.base, "base", "", "measure this `FILE`, another build of wsbridge, in a column of its own")
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
	if p.target, err = newTarget(newPattern()); err != nil {
		return err
	}
	defer p.target.close()
	missing := p.dropMissing(ctx)
	text := describe(p) + missing
	tables, err := p.measureBoth(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		text += "\n" + t.markdown()
	}
	fmt.Fprint(stdout, text)
	if o.out != "" {
		if err := saveBlock(o.out, text); err != nil {
			return fmt.Errorf("write %s: %w", o.out, err)
		}
	}
	if slices.ContainsFunc(tables, (*table).failed) {
		return errors.New("some rows failed, see the notes below the tables")
	}
	return nil
}

func (o options) plan(dir string, progress io.Writer) (plan, error) {
	p := plan{rounds: o.rounds, amounts: fullAmounts(), dir: dir, progress: progress}
	if o.quick {
		p.rounds, p.amounts = 1, quickAmounts()
	}
	rows, err := regexp.Compile(o.rows)
	if err != nil {
		return p, fmt.Errorf("-rows: %w", err)
	}
	p.rows = rows
	p.proxies, err = o.chosen(filepath.Join(dir, "wsbridge"))
	return p, err
}

// chosen are the columns asked for, in the table's order.
func (o options) chosen(built string) ([]proxy, error) {
	names := []string{"wsbridge", "base", "haproxy", "splice", "websockify"}
	all := []proxy{
		&wsbridge{title: "wsbridge", file: o.wsbridge, built: built},
		&wsbridge{title: "wsbridge (base)", file: o.base},
		&haproxy{},
		&haproxy{splice: true},
		&websockify{},
	}
	wanted := strings.Split(o.only, ",")
	for _, w := range wanted {
		if o.only != "" && !slices.Contains(names, w) {
			return nil, fmt.Errorf("-only: %q is none of %s", w, strings.Join(names, ", "))
		}
	}
	var some []proxy
	for i, name := range names {
		asked := o.only == "" || slices.Contains(wanted, name)
		if asked && (name != "base" || o.base != "") {
			some = append(some, all[i])
		}
	}
	return some, nil
}

// dropMissing prepares the proxies and takes out those that are not there, with a
// line of Markdown for each.
func (p *plan) dropMissing(ctx context.Context) string {
	missing := ""
	p.proxies = slices.DeleteFunc(p.proxies, func(x proxy) bool {
		err := x.prepare(ctx)
		if err != nil {
			missing += fmt.Sprintf("- %s is left out: %v\n", x.name(), err)
		}
		return err != nil
	})
	return missing
}

// measureBoth returns the plain and the TLS table.
func (p plan) measureBoth(ctx context.Context) ([]*table, error) {
	crypto, err := newCertificate(p.dir)
	if err != nil {
		return nil, err
	}
	plain, err := p.measure(ctx, "Plain TCP", "", nil)
	if err != nil {
		return nil, err
	}
	secure, err := p.measure(ctx, "TLS 1.3 on the client's side", "TLS ", crypto)
	if err != nil {
		return nil, err
	}
	return []*table{plain, secure}, nil
}
