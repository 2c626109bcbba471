// Command wsbridge puts any TCP service in a browser: it speaks WebSocket with
// clients and carries the bytes to a TCP target.
//
// What it says to people goes to standard error: the log, the summary at the
// start, and at most one "wsbridge: error: ..." with a "hint: ..." below it.
// Standard output is for what was asked for: help, version, manual, --traffic.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/extendedconnect"
	"github.com/wsbridge/wsbridge/wrap"
)

func main() {
	extendedconnect.Restore()
	if status, child := wrap.Child(); child {
		os.Exit(status)
	}
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program. It returns the exit status: 0 stopped as asked, 1
// could not start or go on, 2 usage, 128+n killed by signal n while stopping.
// When ctx ends, the bridge stops as on SIGTERM.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := rootCommand(args, environ)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetArgs(append([]string{}, args...)) // to cobra, nil means os.Args
	return report(stderr, root.ExecuteContext(ctx))
}

// failure is an error that is not the person's at the keyboard: status 1.
type failure struct{ cause error }

func (f *failure) Error() string { return f.cause.Error() }
func (f *failure) Unwrap() error { return f.cause }

// report prints err for a person and gives the exit status. What is neither a
// failure nor a status is a usage error, ours or cobra's.
func report(stderr io.Writer, err error) int {
	var status exitStatus
	if err == nil {
		return 0
	}
	if errors.As(err, &status) {
		return int(status)
	}
	fmt.Fprintf(stderr, "wsbridge: error: %v\n", err)
	var usage *config.UsageError
	if errors.As(err, &usage) && usage.Hint != "" {
		fmt.Fprintf(stderr, "hint: %s\n", usage.Hint)
	}
	var failed *failure
	if errors.As(err, &failed) {
		return 1
	}
	return 2
}

// completing tells whether the shell asks for completions.
func completing(args []string) bool {
	return len(args) > 0 && slices.Contains(completionRequests, args[0])
}
