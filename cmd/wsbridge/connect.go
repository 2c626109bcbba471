package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/wsbridge/wsbridge/check"
	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/connect"
	"github.com/wsbridge/wsbridge/listen"
)

const connectLong = `Carry standard input and output to a WebSocket server, or with --listen every
connection to a local port: the other end of a bridge.

    ssh -o ProxyCommand='wsbridge connect wss://%h/ssh' host
    wsbridge connect --listen 127.0.0.1:5901 wss://host/vnc

The end of the input is told to the server; what it still says is written. The
subprotocol offered is "binary", unless others are given.

Exit status: 0 the server closed as it should; 1 output or listening failed;
2 usage; 3 name not found; 4 no TCP connection; 5 no TLS handshake;
6 certificate; 7 upgrade refused or invalid; 8 the session broke, or was closed
with another code than 1000. wsbridge check URL tells more of each.`

// connectFlags are what connect has besides serverFlags.
type connectFlags struct {
	server    serverFlags
	listen    string
	timeout   seconds
	reconnect seconds
	heartbeat seconds
}

func connectCommand() *cobra.Command {
	f := &connectFlags{timeout: seconds(10 * time.Second), heartbeat: seconds(30 * time.Second)}
	cmd := &cobra.Command{
		Use:               "connect [options] ws[s]://host[:port]/path",
		Short:             "Carry stdin and stdout, or a local port, to a WebSocket server",
		Long:              connectLong,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) }
	f.server.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "", "carry every connection to `[addr:]port`; a port alone is one of 127.0.0.1")
	flags.Var(&f.timeout, "timeout", "bound each attempt to connect")
	flags.Var(&f.reconnect, "reconnect", "try this long to reach the server, before a session; 0: once")
	flags.Var(&f.heartbeat, "heartbeat", "ping this often, to keep proxies awake; 0: never")
	for _, name := range []string{"listen", "timeout", "reconnect", "heartbeat"} {
		completeChoices(cmd, name, "")
	}
	return cmd
}

func (f *connectFlags) run(cmd *cobra.Command, url string) error {
	f.server.proxyGiven = cmd.Flags().Changed("proxy")
	if len(f.server.subprotocols) == 0 {
		f.server.subprotocols = []string{"binary"}
	}
	server, err := f.server.server(url, time.Duration(f.timeout))
	if err != nil {
		return &config.UsageError{Msg: err.Error()}
	}
	pipe := connect.Pipe{Server: server, Retry: time.Duration(f.reconnect), KeepAlive: time.Duration(f.heartbeat)}
	if f.listen != "" {
		return f.serve(cmd, pipe)
	}
	err = pipe.Carry(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout())
	return connectError(cmd.ErrOrStderr(), pipe, err)
}

// serve listens until a signal.
func (f *connectFlags) serve(cmd *cobra.Command, pipe connect.Pipe) error {
	address, err := localAddress(f.listen)
	if err != nil {
		return &config.UsageError{Msg: "--listen: " + err.Error()}
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends at once
	l, err := address.Listen(ctx)
	if err != nil {
		return &failure{err}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Listen on %s for %s. Ctrl-C stops.\n", l.Addr(), pipe.Server)
	return startError(pipe.Serve(ctx, l, func(client net.Addr, err error) {
		fmt.Fprintf(cmd.ErrOrStderr(), "wsbridge: %s: %v\n", client, err)
	}))
}

// localAddress reads where to listen: for this machine, unless told otherwise.
func localAddress(text string) (listen.Address, error) {
	if !strings.Contains(text, ":") {
		text = "127.0.0.1:" + text
	}
	return listen.Parse(text)
}

// connectError tells how a session ended, with the exit status that check has
// for the step it failed in.
func connectError(stderr io.Writer, pipe connect.Pipe, err error) error {
	var failed *connect.Error
	if !errors.As(err, &failed) {
		return startError(err)
	}
	fmt.Fprintf(stderr, "wsbridge: error: %v\n", err)
	if failed.Step != "output" && failed.Step != "close" {
		fmt.Fprintf(stderr, "hint: wsbridge check %s tells more\n", pipe.Server)
	}
	return exitStatus(check.ExitOf(failed.Step))
}
