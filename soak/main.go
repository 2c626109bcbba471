//go:build linux

// Command soak looks for a lost, changed or added byte. It carries streams that a
// seed tells through wsbridge, both ways at once, over all kinds of clients,
// targets and pumps, cut at random everywhere, and holds what arrives against what
// was sent, byte by byte and by SHA-256.
//
//	go run ./soak -bytes 10G
//	go run ./soak -seed 7 -rows '^TLS text unix auto$' -session 12
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are the command line.
type options struct {
	bytes    amount
	seed     uint64
	rows     string
	session  int
	sessions int
	wsbridge string
}

// An amount is a number of bytes that may end in K, M or G.
type amount int64

func (a *amount) String() string { return strconv.FormatInt(int64(*a), 10) }

// Set is flag.Value's.
func (a *amount) Set(text string) error {
	number, unit := text, int64(1)
	for suffix, factor := range map[string]int64{"K": 1e3, "M": 1e6, "G": 1e9} {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			number, unit = rest, factor
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > 1<<53/unit {
		return errors.New("write a number of bytes, or one with K, M or G behind it")
	}
	*a = amount(n * unit)
	return nil
}

// run is the program; it returns the exit code: 1 when a byte was lost or anything
// else failed, 2 for a wrong command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	if err := o.soak(ctx, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "soak:", err)
		return 1
	}
	return 0
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{bytes: 200e6}
	f := flag.NewFlagSet("soak", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Var(&o.bytes, "bytes", "how many bytes to carry, both ways and all rows together: 200M, 10G")
	f.Uint64Var(&o.seed, "seed", 0, "what to say and how to cut it follows from `N`; 0: another one each time")
	f.StringVar(&o.rows, "rows", "", "only rows whose title matches `REGEXP`, with as many bytes as they have among all")
	f.IntVar(&o.session, "session", -1, "only session `N` of each row; not for hubs")
	f.IntVar(&o.sessions, "sessions", 4, "sessions at a time")
	f.StringVar(&o.wsbridge, "wsbridge", "", "try this `FILE` instead of building wsbridge")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if _, err := regexp.Compile(o.rows); err != nil || f.NArg() > 0 || o.sessions < 1 {
		fmt.Fprintln(stderr, "soak: takes no arguments, a regular expression for -rows, and at least 1 session (see -help)")
		return o, errors.New("usage")
	}
	for o.seed == 0 {
		o.seed = rand.Uint64N(1e9)
	}
	return o, nil
}

// soak runs all rows, and says how each one went.
func (o *options) soak(ctx context.Context, stdout, stderr io.Writer) error {
	dir, err := os.MkdirTemp("", "wsbridge-soak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &setup{file: o.wsbridge, dir: dir, only: o.session, sessions: o.sessions, done: new(atomic.Int64)}
	if s.crypto, err = newCertificate(dir); err != nil {
		return err
	}
	if s.file == "" {
		if s.file, err = build(ctx, dir); err != nil {
			return err
		}
	}
	all := rows()
	share := max(1, int64(o.bytes)/int64(len(all)))
	chosen := choose(all, regexp.MustCompile(o.rows))
	if len(chosen) == 0 {
		return fmt.Errorf("no row has a title like %q", o.rows)
	}
	p := newProgress(stderr, s.done, share*int64(len(chosen)))
	defer p.stop()
	t := newTable(stdout, o)
	for i, w := range chosen {
		p.at(i+1, len(chosen), w.title())
		res := s.run(ctx, w, rowSeed(o.seed, w), share)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		p.clear()
		t.add(res)
	}
	return t.end()
}

// rowSeed depends on the title: a row chosen alone is the same as among all.
func rowSeed(seed uint64, w row) uint64 {
	for _, b := range []byte(w.title()) {
		seed = (seed ^ uint64(b)) * 0x100000001b3
	}
	return seed
}

func choose(all []row, title *regexp.Regexp) (chosen []row) {
	for _, w := range all {
		if title.MatchString(w.title()) {
			chosen = append(chosen, w)
		}
	}
	return chosen
}

// build makes the program as it is shipped.
func build(ctx context.Context, dir string) (string, error) {
	file := filepath.Join(dir, "wsbridge")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", file, "github.com/wsbridge/wsbridge/cmd/wsbridge")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return file, nil
}
