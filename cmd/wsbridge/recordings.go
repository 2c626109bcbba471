package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wsbridge/wsbridge/bridge"
	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/record"
)

// replayCommand serves a recording as if its target were there again.
func replayCommand() *cobra.Command {
	player := &record.Player{}
	var speed, dir string
	cmd := &cobra.Command{
		Use:   "replay FILE [addr:]port",
		Short: "Play a recording to every client that connects",
		Long: `Play a recording to every client that connects, from its beginning. What the
client sends does not matter, unless --lockstep is given.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if player.Speed, err = parseSpeed(speed); err != nil {
				return err
			}
			player.File = args[0]
			return runReplay(cmd, player, args[1], dir)
		},
	}
	cmd.Flags().StringVar(&speed, "speed", "1", "times the recorded `speed`; max: all at once")
	cmd.Flags().BoolVar(&player.LockStep, "lockstep", false, "wait for as many bytes of the client as it sent when recorded")
	cmd.Flags().StringVar(&dir, "web", "", "serve the files of `DIR` on the same port, noVNC say")
	completeChoices(cmd, "speed", "1|2|max")
	return cmd
}

func parseSpeed(text string) (float64, error) {
	if text == "max" {
		return math.Inf(1), nil
	}
	speed, err := strconv.ParseFloat(text, 64)
	if err != nil || !(speed > 0) {
		return 0, &config.UsageError{Msg: fmt.Sprintf("--speed: %q is not a number over 0", text), Hint: "write 1, 2.5 or max"}
	}
	return speed, nil
}

func runReplay(cmd *cobra.Command, player *record.Player, port, dir string) error {
	trial, err := player.Dial(cmd.Context())
	if err != nil {
		return &failure{err}
	}
	trial.Close()
	c, err := config.Parse([]string{"--cert=", "--web=" + dir, "--listen=" + port, "replay:1"}, nil, nil)
	if err != nil {
		return err
	}
	s, err := newService(cmd.Context(), c, new(startup), cmd.OutOrStdout(), cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	s.server.Rules.Route = routeTo(player)
	s.summary.target = player.String()
	return s.run(cmd.Context(), cmd.ErrOrStderr())
}

// exportCommand turns a recording into what other programs read.
func exportCommand() *cobra.Command {
	var format, output string
	cmd := &cobra.Command{
		Use:   "export FILE --to " + strings.Join(record.Formats(), "|"),
		Short: "Turn a recording into what other programs read",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format == "" {
				return &config.UsageError{Msg: "export to what?", Hint: "add --to " + strings.Join(record.Formats(), ", --to ")}
			}
			return runExport(cmd, args[0], format, output)
		},
	}
	cmd.Flags().StringVar(&format, "to", "", "`FORMAT` to write: "+strings.Join(record.Formats(), ", "))
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to `F` instead of standard output")
	completeChoices(cmd, "to", strings.Join(record.Formats(), "|"))
	return cmd
}

func runExport(cmd *cobra.Command, file, format, output string) (err error) {
	var to io.Writer = cmd.OutOrStdout()
	if output != "" {
		f, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return &failure{err}
		}
		defer f.Close()
		to = f
	}
	err = record.Export(to, file, format)
	if errors.Is(err, record.ErrCut) {
		fmt.Fprintf(cmd.ErrOrStderr(), "wsbridge: note: %v; all there is was exported\n", err)
		return nil
	}
	return startError(err)
}

// routeTo leads every upgrade to one target.
func routeTo(to bridge.Target) func(*http.Request) (bridge.Route, error) {
	return func(*http.Request) (bridge.Route, error) { return bridge.Route{Target: to}, nil }
}
