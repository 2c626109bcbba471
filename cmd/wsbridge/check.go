package main

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wsbridge/wsbridge/check"
	"github.com/wsbridge/wsbridge/config"
)

const checkLong = `Check a WebSocket server, from its URL to the closing handshake: names,
connection, TLS and certificate, the upgrade, pings, compression, Close. Each
step is one line: ok, warn, FAIL, or skip. Nothing is changed on the server; it
sees a few short sessions.

Exit status: 0 all is well, or worth a warning; 1 warnings, with --strict;
2 usage; of the first step that failed: 3 name not found; 4 no TCP connection;
5 no TLS handshake; 6 certificate (chain, name, date); 7 upgrade refused or
invalid; 8 WebSocket protocol (ping, frames, Close); 9 --send, --expect, --fme,
--fme-admin; 124 out of time.`

// checkFlags are what check has besides serverFlags.
type checkFlags struct {
	server  serverFlags
	check   check.Check
	timeout seconds
	expect  string
	json    bool
	quiet   bool
}

func checkCommand(environ []string) *cobra.Command {
	f := &checkFlags{timeout: seconds(10 * time.Second)}
	cmd := &cobra.Command{
		Use:               "check [options] ws[s]://host[:port]/path",
		Short:             "Check a WebSocket server, step by step",
		Long:              checkLong,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0], environ) }
	f.server.add(cmd)
	f.add(cmd)
	return cmd
}

func (f *checkFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(&f.timeout, "timeout", "bound the whole check; half of it each step")
	flags.BoolVar(&f.check.AllAddrs, "all-addrs", false, "connect to each of the host's addresses")
	flags.BoolVar(&f.check.TLSRange, "tls-range", false, "try each version of TLS")
	flags.BoolVar(&f.check.AllowCN, "allow-cn", false, "only warn of a certificate whose name is not in a SAN")
	flags.BoolVar(&f.check.NoLF, "no-lf", false, "do not try a request typed by hand, with LF line ends")
	flags.StringVar(&f.check.Send, "send", "", "send a `MESSAGE`")
	flags.StringVar(&f.expect, "expect", "", "wait for the server to say what matches `REGEXP`")
	flags.StringVar(&f.check.FME, "fme", "", "the server is an FME message hub: open `STREAM`, and relay over a private one")
	flags.BoolVar(&f.check.FMEAdmin, "fme-admin", false, "the server is an FME message hub: ask for its channels")
	flags.BoolVar(&f.check.Strict, "strict", false, "exit with 1 when there are warnings")
	flags.BoolVar(&f.json, "json", false, "write a report for programs")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "write only what is not well, and the result")
	for _, name := range []string{"timeout", "send", "expect", "fme"} {
		completeChoices(cmd, name, "")
	}
}

func (f *checkFlags) run(cmd *cobra.Command, url string, environ []string) error {
	f.server.proxyGiven = cmd.Flags().Changed("proxy")
	if f.expect != "" {
		expect, err := regexp.Compile(f.expect)
		if err != nil {
			return &config.UsageError{Msg: "--expect: " + err.Error(), Hint: "the syntax is that of https://golang.org/s/re2syntax"}
		}
		f.check.Expect = expect
	}
	f.check.Timeout = time.Duration(f.timeout)
	f.check.Server = f.server.reader(url, f.check.Timeout/2)
	report, err := f.report(cmd, environ)
	if err != nil {
		return &failure{err}
	}
	return statusError(report.Exit)
}

// report checks, and writes as it goes, or all at once for a program.
func (f *checkFlags) report(cmd *cobra.Command, environ []string) (check.Report, error) {
	out := cmd.OutOrStdout()
	if f.json {
		report := f.check.Run(cmd.Context(), func(check.Step) {})
		return report, report.JSON(out)
	}
	p := &check.Printer{To: out, Quiet: f.quiet, Color: inColour(out, environ)}
	report := f.check.Run(cmd.Context(), p.Step)
	return report, p.Result(report)
}

// inColour is on a terminal that knows colours, and whose user does not mind
// them (no-color.org).
func inColour(out io.Writer, environ []string) bool {
	has := func(name string) bool {
		return slices.ContainsFunc(environ, func(e string) bool { return strings.HasPrefix(e, name) && e != name })
	}
	if has("NO_COLOR=") || slices.Contains(environ, "TERM=dumb") || !has("TERM=") && !has("WT_SESSION=") {
		return false
	}
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
