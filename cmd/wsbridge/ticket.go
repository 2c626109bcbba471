package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/policy"
	"github.com/wsbridge/wsbridge/ticket"
)

const ticketLong = `Mint tickets: tokens that last a minute, or let in once.

  wsbridge ticket keygen desk.key
  wsbridge 6080 --token-plugin Ticket --token-source desk.key.pub
  wsbridge ticket mint --key desk.key --target localhost:5900 --ttl 60s --once

Who has the key lets others in; the bridge needs no more than its public half.`

func ticketCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "ticket", Short: "Mint and show tickets: tokens for a minute, or for once", Long: ticketLong}
	cmd.AddCommand(ticketKeygenCommand(), ticketMintCommand(), ticketShowCommand())
	cmd.Args, cmd.ValidArgsFunction = cobra.ArbitraryArgs, cobra.NoFileCompletions
	cmd.RunE = func(*cobra.Command, []string) error {
		return &config.UsageError{Msg: "ticket what?", Hint: "write wsbridge ticket keygen, mint or show"}
	}
	return cmd
}

func ticketKeygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen F",
		Short: "Make a key that mints, F, and its public half, F.pub",
		Long: `Make a key that mints (Ed25519), F, which nobody but its owner may read, and its
public half, F.pub, for --token-source. A file that is there is left alone.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := writeTicketKey(args[0]); err != nil {
				return &failure{err}
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Wrote %s, to mint with, and %s.pub, for the bridge.\n", args[0], args[0])
			return nil
		},
	}
}

func writeTicketKey(name string) error {
	private, public, err := ticket.NewKey()
	if err != nil {
		return err
	}
	if err := writeNew(name+".pub", public, 0o644); err != nil {
		return err
	}
	if err := writeNew(name, private, 0o600); err != nil {
		os.Remove(name + ".pub")
		return err
	}
	return nil
}

// writeNew writes all of a file that was not there before, or none of it.
func writeNew(name string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(name)
	}
	return err
}

// ticketOrder is what mint is asked for.
type ticketOrder struct {
	key, target, user, client, path, url string
	audience                             []string
	ttl, delay                           seconds
	once                                 bool
}

func ticketMintCommand() *cobra.Command {
	o := &ticketOrder{ttl: seconds(time.Minute)}
	cmd := &cobra.Command{
		Use:               "mint --key F --target host:port [options]",
		Short:             "Print a ticket",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := o.mint(time.Now())
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), text)
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.key, "key", "", "sign with the private key in `F`, made by wsbridge ticket keygen")
	flags.StringVar(&o.target, "target", "", "where it leads: `host:port` or unix_socket:/path")
	flags.Var(&o.ttl, "ttl", "how long it lasts")
	flags.BoolVar(&o.once, "once", false, "it lets in once")
	flags.StringVar(&o.user, "user", "", "whom it is for, `NAME`: for the log, and refused to who logs in as another")
	flags.StringVar(&o.client, "client", "", "the `ADDR` it may be used from, or the network as 192.0.2.0/24")
	flags.StringVar(&o.path, "path", "", "the `PATH` it may be used on; with / at its end: all below it")
	flags.StringArrayVar(&o.audience, "aud", nil, "the bridge it is for, `NAME`, as in the bridge's --token-source F#aud=NAME; may be repeated")
	flags.Var(&o.delay, "delay", "from when on it lets in")
	flags.StringVar(&o.url, "url", "", "print this `URL` with the ticket in it: ws[s]:// for a client, http[s]:// for a browser to exchange it for a cookie")
	for _, name := range []string{"target", "ttl", "user", "client", "path", "aud", "delay", "url"} {
		completeChoices(cmd, name, "")
	}
	return cmd
}

// mint is the line to print.
func (o *ticketOrder) mint(now time.Time) (string, error) {
	c, err := o.claims(now)
	if err != nil {
		return "", err
	}
	key, err := readTicketKey(o.key)
	if err != nil {
		return "", err
	}
	text, err := ticket.Mint(key, c)
	if err != nil {
		return "", &config.UsageError{Msg: err.Error()}
	}
	return inURL(o.url, text)
}

func (o *ticketOrder) claims(now time.Time) (c ticket.Claims, err error) {
	c = ticket.Claims{User: o.user, Once: o.once, Path: o.path, Audience: o.audience, Issued: now, Expires: now.Add(time.Duration(o.delay + o.ttl))}
	switch {
	case o.key == "":
		return c, &config.UsageError{Msg: "there is no key to sign with", Hint: "add --key F; wsbridge ticket keygen F makes one"}
	case o.target == "":
		return c, &config.UsageError{Msg: "the ticket leads nowhere", Hint: "add --target host:port"}
	case o.ttl == 0:
		return c, &config.UsageError{Msg: "the ticket would have expired when it is minted", Hint: "write --ttl 60s"}
	}
	if o.delay > 0 {
		c.NotBefore = now.Add(time.Duration(o.delay))
	}
	to, err := policy.ParseEndpoint(o.target)
	if err != nil {
		return c, &config.UsageError{Msg: "--target: " + err.Error()}
	}
	c.Target = to.String()
	if o.client != "" {
		if c.Client, err = ticket.ParseClient(o.client); err != nil {
			return c, &config.UsageError{Msg: "--client: " + err.Error()}
		}
	}
	return c, nil
}

func readTicketKey(name string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, &failure{fmt.Errorf("--key: %w", err)}
	}
	key, err := ticket.ParsePrivateKey(text)
	if err != nil {
		return nil, &failure{fmt.Errorf("--key: %s: %w", name, err)}
	}
	return key, nil
}

// inURL puts a ticket where the bridge finds it: as the token of a WebSocket, or
// on the page that exchanges it. Without a URL it is the ticket alone.
func inURL(text, ticketText string) (string, error) {
	if text == "" {
		return ticketText, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Fragment != "" {
		return "", errTicketURL
	}
	name := "token"
	switch u.Scheme {
	case "ws", "wss":
	case "http", "https":
		if name = "ticket"; strings.Trim(u.Path, "/") == "" {
			u.Path = ticket.ExchangePath
		}
	default:
		return "", errTicketURL
	}
	query := u.Query()
	query.Set(name, ticketText)
	u.RawQuery = query.Encode()
	return u.String(), nil
}

var errTicketURL = &config.UsageError{Msg: "--url is no URL for a ticket", Hint: "write wss://host/path, or https://host to exchange it for a cookie"}

func ticketShowCommand() *cobra.Command {
	var keys string
	cmd := &cobra.Command{
		Use:   "show [--key F] [TICKET]",
		Short: "Print what a ticket says, and if it has expired",
		Long: `Print what a ticket says, and if it has expired. Without TICKET it is read from
standard input: what is on a command line can be seen by others. Whether it was
used is known to the bridge alone.

The exit status is 0 when the ticket is good now, as far as can be seen, and 1
when not.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := ticketText(args, cmd.InOrStdin())
			if err != nil {
				return err
			}
			return showTicket(cmd.OutOrStdout(), text, keys, time.Now())
		},
	}
	cmd.Flags().StringVar(&keys, "key", "", "tell whether it is signed by a public key in `F`")
	return cmd
}

// ticketText is the ticket to show, alone or in a URL.
func ticketText(args []string, stdin io.Reader) (string, error) {
	text := strings.Join(args, "")
	if len(args) == 0 {
		line, err := io.ReadAll(io.LimitReader(stdin, 2*ticket.MaxLength))
		if err != nil {
			return "", &failure{err}
		}
		text = string(line)
	}
	text = strings.TrimSpace(text)
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		query := u.Query()
		text = query.Get("token") + query.Get("ticket")
	}
	return text, nil
}

// showTicket writes what is known; its error is the status where that is bad.
func showTicket(out io.Writer, text, keys string, now time.Time) error {
	c, err := ticket.Read(text)
	if err != nil {
		return &failure{err}
	}
	state, good := ticketState(c, now)
	fmt.Fprintf(out, "%s%-10s %s\n", ticketLines(c), "state", state)
	if keys != "" {
		signature, err := ticketSignature(keys, text)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-10s %s\n", "signature", signature)
		good = good && signature == goodSignature
	}
	if !good {
		return exitStatus(1)
	}
	return nil
}

func ticketState(c ticket.Claims, now time.Time) (state string, good bool) {
	switch {
	case !now.Before(c.Expires):
		return fmt.Sprintf("expired %v ago", now.Sub(c.Expires).Round(time.Second)), false
	case now.Before(c.NotBefore) || now.Before(c.Issued):
		return "not valid yet", false
	}
	return fmt.Sprintf("good for %v", c.Expires.Sub(now).Round(time.Second)), true
}

const goodSignature = "by a key of the file"

// ticketSignature tells whether a ticket is by a key of the file.
func ticketSignature(name, text string) (string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return "", &failure{fmt.Errorf("--key: %w", err)}
	}
	keys, err := ticket.ParsePublicKeys(data)
	if err != nil {
		return "", &failure{fmt.Errorf("--key: %s: %w", name, err)}
	}
	if _, err := ticket.Verify(keys, text); err != nil {
		return err.Error(), nil
	}
	return goodSignature, nil
}

// ticketLines are the claims that are there. Others' text is quoted.
func ticketLines(c ticket.Claims) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-10s %s\n", name, value)
		}
	}
	line("target", quoted(c.Target))
	line("user", quoted(c.User))
	if c.Client.IsValid() {
		line("client", c.Client.String())
	}
	line("path", quoted(c.Path))
	line("aud", quoted(c.Audience...))
	line("id", c.ID)
	line("once", fmt.Sprint(c.Once))
	line("issued", timeText(c.Issued))
	line("begins", timeText(c.NotBefore))
	line("expires", timeText(c.Expires))
	return b.String()
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// quoted spares the terminal what is not printable.
func quoted(all ...string) string {
	text := strings.Join(all, ", ")
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Sprintf("%+q", text)
	}
	return text
}
