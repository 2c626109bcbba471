package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wsbridge/wsbridge/config"
)

// configCommand is about the configuration, without a bridge.
func configCommand(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check the configuration, show what counts, print its schema",
		RunE: func(_ *cobra.Command, args []string) error {
			return &config.UsageError{Msg: strings.TrimSpace("config what? " + strings.Join(args, " ")), Hint: "write check, dump or schema"}
		},
	}
	cmd.AddCommand(configCheckCommand(environ), configDumpCommand(environ), configSchemaCommand())
	return cmd
}

func configCheckCommand(environ []string) *cobra.Command {
	return likeBridge(environ, &cobra.Command{
		Use:   "check [the bridge's own command line]",
		Short: "Tell what a start of the bridge would say against it",
		Long: `Read the configuration as the bridge does, --config F and all other options,
and everything that it names: certificates, users, routes with their steps, the
web root. No port is opened, nobody is dialled, nothing is started or written.

The exit status is 0 when the bridge would start, and 2 when not.`,
	}, func(c *config.Config, _ map[string]bool, stdout, stderr io.Writer) error {
		return checkConfig(c, stdout, stderr)
	})
}

func configDumpCommand(environ []string) *cobra.Command {
	return likeBridge(environ, &cobra.Command{
		Use:   "dump [--all] [--json] [the bridge's own command line]",
		Short: "Print what counts, and where each value was set",
		Long: `Print, as a configuration file, what the command line, the environment and the
files say together, with a comment that tells where each value was set. Secrets
are ***.

  --all    also what nobody has set
  --json   for programs`,
	}, dumpConfig, "--all", "--json")
}

func configSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "schema",
		Short:             "Print the JSON Schema of the configuration file, for editors",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema, err := config.Schema()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", schema)
			return err
		},
	}
}

// likeBridge is a command that reads its command line as the bridge does, but
// for switches of its own.
func likeBridge(environ []string, cmd *cobra.Command, do func(c *config.Config, own map[string]bool, stdout, stderr io.Writer) error, switches ...string) *cobra.Command {
	cmd.DisableFlagParsing = true
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return append(optionWords(), switches...), cobra.ShellCompDirectiveDefault
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		args, own := takeSwitches(args, switches)
		c, err := config.Parse(args, environ, nil)
		if err != nil {
			return err
		}
		if c.Help || c.Version {
			return cmd.Help()
		}
		return do(c, own, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return cmd
}

func optionWords() (names []string) {
	config.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name+"\t"+f.Usage) })
	return names
}

// takeSwitches takes the switches out of what stands before "--".
func takeSwitches(args, switches []string) (rest []string, taken map[string]bool) {
	taken = make(map[string]bool)
	for i, arg := range args {
		if arg == "--" {
			return append(rest, args[i:]...), taken
		}
		if slices.Contains(switches, arg) {
			taken[arg] = true
			continue
		}
		rest = append(rest, arg)
	}
	return rest, taken
}

func dumpConfig(c *config.Config, own map[string]bool, stdout, stderr io.Writer) error {
	for _, warning := range c.Warnings {
		fmt.Fprintln(stderr, "wsbridge: warning:", warning)
	}
	if !own["--json"] {
		_, err := io.WriteString(stdout, c.Dump(own["--all"]))
		return err
	}
	text, err := c.DumpJSON(own["--all"])
	if err == nil {
		_, err = fmt.Fprintf(stdout, "%s\n", text)
	}
	return err
}
