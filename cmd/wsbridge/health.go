package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wsbridge/wsbridge/config"
)

// healthPatience is how long a bridge has to say how it is.
const healthPatience = 4 * time.Second

// maxHealthLine of an answer is shown, in bytes.
const maxHealthLine = 1 << 10

// healthCommand asks a bridge of this machine whether it is ready, or with
// --live whether it is there: for container images, which have no curl.
func healthCommand(environ []string) *cobra.Command {
	path := "/readyz"
	cmd := &cobra.Command{
		Use:               "health [admin]",
		Short:             "Ask a bridge on this machine whether it is ready",
		Long:              "Ask a bridge on this machine, by what its --admin says or WSBRIDGE_ADMIN,\nwhether it takes new sessions. The exit status is 0 if it does, else 1.",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	live := cmd.Flags().Bool("live", false, "ask whether it lives; a bridge that drains does")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *live {
			path = "/livez"
		}
		line, err := askHealth(cmd.Context(), healthAddress(args, environ), path)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), line)
		return nil
	}
	return cmd
}

func healthAddress(args, environ []string) string {
	if len(args) > 0 {
		return args[0]
	}
	for _, e := range environ {
		if admin, ok := strings.CutPrefix(e, "WSBRIDGE_ADMIN="); ok {
			return admin
		}
	}
	return ""
}

// askHealth is the first line of the answer; an answer but 200 is an error.
func askHealth(ctx context.Context, admin, path string) (line string, err error) {
	if admin == "" {
		return "", &config.UsageError{Msg: "which bridge?", Hint: "name the address of its --admin, as 9090 or unix:/run/wsbridge/admin"}
	}
	ctx, cancel := context.WithTimeout(ctx, healthPatience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return "", &failure{err}
	}
	answer, err := adminTransport(admin).RoundTrip(r)
	if err != nil {
		return "", &failure{fmt.Errorf("health: %w", err)}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxHealthLine))
	line, _, _ = strings.Cut(string(body), "\n")
	switch {
	case err != nil:
		return "", &failure{fmt.Errorf("health: %w", err)}
	case answer.StatusCode != http.StatusOK:
		return "", &failure{errors.New(line)}
	}
	return line, nil
}

// adminTransport asks the administrator's side of a bridge on this machine, once.
func adminTransport(admin string) *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		network, address := adminDial(admin)
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
}

// adminDial reads what --admin means, from the other side: where it listens on
// all addresses it is asked on loopback.
func adminDial(admin string) (network, address string) {
	if path, ok := strings.CutPrefix(admin, "unix:"); ok {
		return "unix", path
	}
	if !strings.Contains(admin, ":") {
		admin = ":" + admin
	}
	host, port, err := net.SplitHostPort(admin)
	if err != nil {
		return "tcp", admin
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "tcp", net.JoinHostPort(host, port)
}
