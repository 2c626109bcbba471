package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wsbridge/wsbridge/bridge"
	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/content"
	"github.com/wsbridge/wsbridge/policy"
)

// explainCommand is a request's way through the real decision, without a
// session at its end.
func explainCommand(environ []string) *cobra.Command {
	var asked question
	cmd := &cobra.Command{
		Use:   "explain [options] [-- the bridge's own command line]",
		Short: "Tell what would become of a request, and which option says so",
		Long: `Run a request through the bridge's own decision: its route, who may enter, its
token, its target. No session is opened, nobody is dialled. The configuration is
that of --config, of the environment, and of the command line behind --:

  wsbridge explain --path /chat --origin https://desk.example --config bridge.yaml
  wsbridge explain --token abc -- 6080 --token-plugin TokenFile --token-source tokens

The exit status is 0 when a session would be opened, and 1 when not.`,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if asked.file != "" {
				args = append([]string{"--config", asked.file}, args...)
			}
			c, err := config.Parse(args, environ, nil)
			if err != nil {
				return err
			}
			return explain(c, asked, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	asked.add(cmd)
	return cmd
}

// question is the request to explain.
type question struct {
	file, from, path, host, origin, token, auth string
	headers, subprotocols                       []string
}

func (q *question) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&q.file, "config", "", "the bridge's configuration, `F`")
	flags.StringVar(&q.path, "path", "/", "the request's path and query, `P`")
	flags.StringVar(&q.host, "host", "localhost", "its Host `NAME`")
	flags.StringVar(&q.from, "from", "127.0.0.1", "the client's address, `IP`")
	flags.StringVarP(&q.origin, "origin", "o", "", "its Origin `URL`")
	flags.StringVar(&q.token, "token", "", "its token, `T`, put where the bridge looks for it")
	flags.StringVar(&q.auth, "auth", "", "its `user:password` (Basic)")
	flags.StringArrayVarP(&q.headers, "header", "H", nil, "a header of it, `name:value`; may be repeated")
	flags.StringArrayVarP(&q.subprotocols, "subprotocol", "s", nil, "a subprotocol it offers, `NAME`; may be repeated")
	for _, name := range []string{"path", "host", "from", "origin", "token", "auth", "header", "subprotocol"} {
		completeChoices(cmd, name, "")
	}
}

// request is the question as the bridge would see it. places are where tokens
// are looked for.
func (q question) request(places []policy.Place) (*http.Request, error) {
	path := q.path
	if q.token != "" {
		path = withToken(path, q.token, places)
	}
	r, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil || !strings.HasPrefix(path, "/") {
		return nil, &config.UsageError{Msg: fmt.Sprintf("--path %q is no path", q.path), Hint: "write /path, perhaps with ?query"}
	}
	r.Host, r.RemoteAddr = q.host, q.from+":1"
	if strings.Contains(q.from, ":") {
		r.RemoteAddr = "[" + q.from + "]:1"
	}
	r.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="},
	}
	if q.origin != "" {
		r.Header.Set("Origin", q.origin)
	}
	if len(q.subprotocols) > 0 {
		r.Header.Set("Sec-WebSocket-Protocol", strings.Join(q.subprotocols, ", "))
	}
	return r, q.addHeaders(r, places)
}

func (q question) addHeaders(r *http.Request, places []policy.Place) error {
	for _, line := range q.headers {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return &config.UsageError{Msg: fmt.Sprintf("-H %q is no header", line), Hint: "write 'Name: value'"}
		}
		r.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	if user, password, ok := strings.Cut(q.auth, ":"); ok {
		r.SetBasicAuth(user, password)
	} else if q.auth != "" {
		return &config.UsageError{Msg: "--auth has no password", Hint: "write user:password"}
	}
	if q.token == "" || len(places) == 0 {
		return nil
	}
	kind, name, _ := strings.Cut(places[0].String(), ":")
	switch kind {
	case "host":
		r.Host = q.token
	case "cookie":
		r.AddCookie(&http.Cookie{Name: name, Value: q.token})
	case "header":
		r.Header.Set(name, q.token)
	case "subprotocol":
		r.Header.Add("Sec-WebSocket-Protocol", name+q.token)
	}
	return nil
}

// withToken puts a token that is in the address there.
func withToken(path, token string, places []policy.Place) string {
	kind, name := "query", "token"
	if len(places) > 0 {
		kind, name, _ = strings.Cut(places[0].String(), ":")
	}
	switch {
	case kind == "query" && strings.Contains(path, "?"):
		return path + "&" + name + "=" + url.QueryEscape(token)
	case kind == "query":
		return path + "?" + name + "=" + url.QueryEscape(token)
	case kind == "path":
		return strings.TrimSuffix(name, "/") + "/" + url.PathEscape(token)
	}
	return path
}

// explain writes a line for each thing that is decided. Nothing is listened on,
// recorded, or joined.
func explain(c *config.Config, q question, stdout, stderr io.Writer) error {
	c.Record, c.HubEngine, c.Command = "", "", nil
	s, err := newDecision(c, stderr)
	if err != nil {
		return err
	}
	defer s.close()
	r, err := q.request(s.current.policy.From)
	if err != nil {
		return err
	}
	e := explanation{service: s, request: r, from: q.from, out: stdout}
	if err := e.tell(); err != nil {
		return statusError(1)
	}
	return nil
}

// newDecision is a service that only decides.
func newDecision(c *config.Config, stderr io.Writer) (*service, error) {
	out, err := openLog(&config.Config{LogFormat: c.LogFormat}, stderr)
	if err != nil {
		return nil, err
	}
	s := newBareService(c, out)
	s.current = s.bareGeneration(c)
	for _, open := range []func() error{s.current.openGate, s.current.openTarget} {
		if err := open(); err != nil {
			s.close()
			return nil, startError(err)
		}
	}
	if tickets := s.current.tickets(); tickets != nil {
		tickets.Peek = true
	}
	s.server = s.newServer(io.Discard)
	return s, nil
}

// explanation is told line by line: what is decided, and by which option.
type explanation struct {
	service *service
	request *http.Request
	from    string
	out     io.Writer
}

func (e *explanation) line(what, format string, args ...any) {
	fmt.Fprintf(e.out, "%-12s %s\n", what, fmt.Sprintf(format, args...))
}

// tell ends with the result; its error is the refusal.
func (e *explanation) tell() error {
	c, r := e.service.config, e.request
	e.line("request", "GET %s from %s for host %s", r.URL.Path, e.from, r.Host)
	d, found := e.service.current.router.table.Find(r)
	switch {
	case !found:
		e.line("route", "none takes this path")
	case d.place == "":
		e.line("route", "the target for every path: %s%s", d, by(c, "target"))
	default:
		e.line("route", "%s: %s (%s)", d.name, d, d.place)
	}
	if c.AuthPlugin != "" {
		e.user(by(c, "auth-plugin"))
	}
	if found && d.byToken {
		e.token(by(c, "token-plugin") + by(c, "target-config"))
	}
	if g, ok := destinationService(d).(gatewayRoute); ok {
		if err := e.content(g); err != nil {
			return err
		}
	}
	return e.result()
}

func destinationService(d *destination) any {
	if d == nil {
		return nil
	}
	return d.service
}

// content tells what the messages of a gateway are held against.
func (e *explanation) content(g gatewayRoute) error {
	offered := content.SplitOffered(e.request.Header.Values("Sec-WebSocket-Protocol"))
	subprotocol, kind, err := g.Content.Choose(offered, e.request.URL.Query())
	switch {
	case err != nil:
		e.line("content", "refused: %s", err)
		e.line("RESULT", "refused with %d: %s", http.StatusBadRequest, err)
		return err
	case kind == "":
		e.line("content", "messages are not looked into")
	case subprotocol == "":
		e.line("content", "%s", kind)
	default:
		e.line("content", "%s, as subprotocol %s says", kind, subprotocol)
	}
	return nil
}

// user tells who the client is found to be.
func (e *explanation) user(origin string) {
	decision, err := e.service.current.router.guard.Decide(e.request)
	switch {
	case err != nil:
		e.line("user", "%s: refused: %s%s", e.service.config.AuthPlugin, err, origin)
	case decision.User == "":
		e.line("user", "%s: let in, without a name%s", e.service.config.AuthPlugin, origin)
	default:
		e.line("user", "%s: let in as %s%s", e.service.config.AuthPlugin, decision.User, origin)
	}
}

// token tells where the token leads.
func (e *explanation) token(origin string) {
	decision, err := e.service.current.policy.Decide(e.request)
	if err != nil {
		e.line("token", "refused: %s%s", err, origin)
		return
	}
	e.line("token", "leads to %s%s", decision.Target, origin)
}

// result is what the bridge itself makes of the request.
func (e *explanation) result() error {
	where, err := e.service.server.Explain(e.request)
	var refusal *bridge.Refusal
	if errors.As(err, &refusal) {
		e.line("RESULT", "refused with %d: %s", refusal.Status, refusal.Reason)
		return err
	}
	e.line("RESULT", "%s", where)
	return err
}

// by is the option or line that set the option with that long name.
func by(c *config.Config, long string) string {
	origin := c.Origin(long)
	if origin.Source == config.Default {
		return ""
	}
	return " (" + origin.Place + ")"
}
