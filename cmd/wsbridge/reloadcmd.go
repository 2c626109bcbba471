package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/wsbridge/wsbridge/config"
)

// reloadTimeout is for the bridge to read its configuration and to look at its
// sessions.
const reloadTimeout = time.Minute

// reloadCommand asks a running bridge to read its configuration again.
func reloadCommand(environ []string) *cobra.Command {
	var file, at, tokenFile, pidFile string
	cmd := &cobra.Command{
		Use:   "reload [--config F | --admin ADDR | --pid-file F]",
		Short: "Have a running bridge read its configuration again",
		Long: `Have a running bridge read its configuration, certificates, tokens and users
again. It is asked on its administrator's side, and answers what came of it; a
bridge without one is sent SIGHUP, by its pid file, and answers in its log. Both
are found in the file of --config or in the environment, as the bridge finds them.

Live sessions stay. Any error leaves everything as it was.`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var args []string
			for name, value := range map[string]string{"--config=": file, "--admin=": at, "--admin-token-file=": tokenFile, "--pid-file=": pidFile} {
				if value != "" {
					args = append(args, name+value)
				}
			}
			c, err := config.Peek(args, environ)
			if err != nil {
				return err
			}
			return askReload(cmd.Context(), c, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "the bridge's configuration, `F`")
	cmd.Flags().StringVar(&at, "admin", "", "its administrator's side, `ADDR`")
	cmd.Flags().StringVar(&tokenFile, "admin-token-file", "", "the token for it, in `F`")
	cmd.Flags().StringVar(&pidFile, "pid-file", "", "its pid file, `F`")
	completeChoices(cmd, "admin", "")
	return cmd
}

func askReload(ctx context.Context, c *config.Config, stdout io.Writer) error {
	switch {
	case c.Admin != "":
		return askAdmin(ctx, c, stdout)
	case c.PIDFile != "":
		return hangUp(c.PIDFile, stdout)
	}
	return &config.UsageError{Msg: "which bridge is to reload?", Hint: "write --config F, --admin ADDR or --pid-file F"}
}

// askAdmin has the answer of the bridge itself.
func askAdmin(ctx context.Context, c *config.Config, stdout io.Writer) error {
	token, err := firstLine(c.AdminTokenFile)
	if err != nil {
		return fmt.Errorf("--admin-token-file: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, reloadTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/reload", nil)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := adminTransport(c.Admin).RoundTrip(request)
	if err != nil {
		return &failure{fmt.Errorf("the bridge's administrator's side does not answer: %w", err)}
	}
	defer answer.Body.Close()
	return tellReload(answer, stdout)
}

// tellReload prints what came of it.
func tellReload(answer *http.Response, stdout io.Writer) error {
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return &failure{err}
	}
	if answer.StatusCode != http.StatusOK {
		return &failure{fmt.Errorf("not reloaded: %s", strings.TrimSpace(string(body)))}
	}
	var done struct {
		Sessions, Refused int
		Kept              []string
	}
	if err := json.Unmarshal(body, &done); err != nil {
		return &failure{fmt.Errorf("not a bridge's answer: %w", err)}
	}
	fmt.Fprintf(stdout, "reloaded; of %d live sessions the new rules would refuse %d\n", done.Sessions, done.Refused)
	for _, option := range done.Kept {
		fmt.Fprintf(stdout, "not changed before a restart: %s\n", option)
	}
	return nil
}

// hangUp sends SIGHUP to whom the pid file names.
func hangUp(file string, stdout io.Writer) error {
	line, err := firstLine(file)
	if err != nil {
		return &failure{err}
	}
	pid, err := strconv.Atoi(line)
	if err != nil || pid <= 1 {
		return &failure{fmt.Errorf("pid file %s holds no process number", file)}
	}
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Signal(syscall.SIGHUP)
	}
	if err != nil {
		return &failure{fmt.Errorf("process %d of pid file %s: %w", pid, file, err)}
	}
	fmt.Fprintf(stdout, "SIGHUP sent to process %d; its log says what comes of it\n", pid)
	return nil
}
