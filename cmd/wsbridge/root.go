package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/man"
)

// completionRequests are cobra's hidden commands, called by shell scripts.
var completionRequests = []string{cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd}

// rootCommand is the command line: the bridge itself and, by name, the rest.
// The bridge's options are read by package config; cobra only completes them.
func rootCommand(args, environ []string) *cobra.Command {
	root := &cobra.Command{
		Use:                "wsbridge [options] [addr:]port host:port",
		Short:              "Put any TCP service in a browser",
		Args:               cobra.ArbitraryArgs,
		DisableFlagParsing: !completing(args),
		ValidArgsFunction:  cobra.NoFileCompletions,
		SilenceErrors:      true,
		SilenceUsage:       true,
	}
	root.RunE = func(cmd *cobra.Command, args []string) error {
		return bridgeCommand(cmd, args, environ)
	}
	root.AddCommand(
		checkCommand(environ),
		configCommand(environ),
		connectCommand(),
		demoCommand(),
		explainCommand(environ),
		exportCommand(),
		healthCommand(environ),
		manCommand(),
		reloadCommand(environ),
		replayCommand(),
		ticketCommand(),
		versionCommand(),
	)
	root.InitDefaultCompletionCmd()
	root.SetHelpCommand(helpCommand(root))
	root.InitDefaultHelpCmd()
	needShell(root)
	root.SetFlagErrorFunc(flagError)
	setHelp(root)
	addFlags(root)
	return root
}

// bridgeCommand is wsbridge without a command: the bridge.
func bridgeCommand(cmd *cobra.Command, args, environ []string) (err error) {
	l, err := newStartup(args, environ)
	if err != nil {
		return err
	}
	defer func() { l.predecessor.refuse(err) }()
	l.reread = func() (*config.Config, error) { return config.Parse(args, environ, commandNames(cmd)) }
	c, err := l.reread()
	switch {
	case err != nil:
		return err
	case c.Help:
		return cmd.Help()
	case c.Version:
		printVersion(cmd.OutOrStdout())
		return nil
	}
	if c.Daemon && l.front() {
		return statusError(daemonize(args, environ, cmd.ErrOrStderr()))
	}
	return serve(cmd.Context(), c, l, cmd.OutOrStdout(), cmd.ErrOrStderr())
}

func commandNames(root *cobra.Command) (names []string) {
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	return names
}

// helpCommand is cobra's, but a command that does not exist is an error.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Print the help of a command",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return commandNames(root), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return &config.UsageError{Msg: fmt.Sprintf("no help for %q", strings.Join(args, " ")), Hint: "see wsbridge help"}
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

// needShell makes completion without a shell an error; by itself cobra prints
// the help and succeeds, even for a shell it does not know.
func needShell(root *cobra.Command) {
	completion, _, err := root.Find([]string{"completion"})
	if err != nil || completion == root {
		return
	}
	completion.RunE = func(*cobra.Command, []string) error {
		return &config.UsageError{Msg: "completion for which shell?", Hint: "write bash, zsh, fish or powershell"}
	}
}

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "man [1 | 5]",
		Short:     "Print a manual page, for man -l - or mandoc; 5: the configuration file's",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"1", "5"},
		RunE: func(cmd *cobra.Command, args []string) error {
			page := man.Page()
			if len(args) > 0 && args[0] == "5" {
				page = man.FilePage()
			}
			_, err := io.WriteString(cmd.OutOrStdout(), page)
			return err
		},
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "Print the version",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		Run:               func(cmd *cobra.Command, _ []string) { printVersion(cmd.OutOrStdout()) },
	}
}

func flagError(cmd *cobra.Command, err error) error {
	return &config.UsageError{Msg: err.Error(), Hint: "see " + cmd.CommandPath() + " --help"}
}

// setHelp gives the root its own help; commands keep cobra's.
func setHelp(root *cobra.Command) {
	ofCommand := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if cmd.HasParent() {
			ofCommand(cmd, args)
			return
		}
		fmt.Fprint(cmd.OutOrStdout(), helpText(cmd))
	})
}

func helpText(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString(helpHead)
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() || c.Name() == "help" {
			fmt.Fprintf(&b, "  %-12s%s\n", c.Name(), c.Short)
		}
	}
	return b.String() + "\n" + config.Help() + helpFoot
}

const helpHead = `usage: wsbridge [options] [addr:]port host:port
       wsbridge [options] --listen ADDR ... host:port
       wsbridge [options] [addr:]port -- program [arguments]
       wsbridge command [arguments]

Put any TCP service in a browser: speak WebSocket with clients on port, and
carry the bytes of each to a connection of its own to host:port, the target.

Commands:
`

const helpFoot = `
N may be decimal, 0x1f, 0b11 or 017; seconds also 30s, 5m or 1h30m. Options may
be cut short (--ssl-o) and stand anywhere. Each is also an environment name
(WSBRIDGE_SSL_ONLY) and a key of the --config file (ssl-only); the command line
wins over the environment, and that over the file.

Exit status: 0 stopped as asked; 1 could not start or go on; 2 wrong usage;
128+n killed by signal n while stopping; the wrapped program's, when it ends.
`

// addFlags lets cobra complete the options and, by their metavars, the values.
func addFlags(root *cobra.Command) {
	root.Flags().AddFlagSet(config.Flags())
	root.Flags().VisitAll(func(f *pflag.Flag) {
		switch metavar := f.Value.Type(); {
		case metavar == "DIR":
			f.Annotations = map[string][]string{cobra.BashCompSubdirsInDir: {}}
		case metavar == "F", metavar == "bool":
		default:
			completeChoices(root, f.Name, metavar)
		}
	})
}

// completeChoices completes a value with what a|b lists, and never with files.
// The error it drops is about a flag that is unknown or done twice.
func completeChoices(root *cobra.Command, name, metavar string) {
	var choices []string
	if strings.Contains(metavar, "|") {
		choices = strings.Split(metavar, "|")
	}
	_ = root.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp))
}
