package config

import (
	"cmp"
	"net/http"
	"strings"
	"time"
)

// Route is one entry of routes: what a request must look like, and where it
// goes. Its options are a table like the bridge's own, so that a YAML mapping
// and the words of --route are read alike.
type Route struct {
	Name    string // default: Host and Path as written
	Host    string // "": any
	Path    string // a prefix that ends at a slash, or "*"
	Target  string // as written
	Enabled bool

	Subprotocol string   // the client must offer it; "": none in particular
	Offer       []string // the only subprotocols offered onward
	StrictOffer bool

	Content        string
	RequireContent bool
	In, Out        Verbatim
	OnError        string
	Binary         string
	Single         bool
	MaxMessage     int

	OnConnect      string
	Broadcast      int
	Compress       string // "off", "auto", "on" or "default", which is the bridge's
	ForwardHeaders []string
	SetHeaders     Verbatim
	Forwarded      bool
	SendProxy      string
	PassControl    bool

	TargetCA       string
	TargetInsecure bool
	TargetName     string
	TargetCert     string
	TargetKey      string
	AllowCN        bool

	Idle       time.Duration
	HostTarget bool
	Refused    int

	Place string // "--route" or "bridge.yaml:12", for errors

	origins origins
}

// Verbatim is a list whose items may have commas in them.
type Verbatim []string

// Routing is the options of a route, for those who print them.
func Routing() []Option { return new(Route).options() }

func (r *Route) options() []Option {
	return []Option{
		{"path", "", "PREFIX", "", "the request's path begins with PREFIX, up to a slash; * is any path; the longest prefix wins", &r.Path},
		{"host", "", "NAME", "", "the request is for host NAME", &r.Host},
		{"subprotocol", "", "NAME", "", "the client offers subprotocol NAME", &r.Subprotocol},
		{"target", "", "TARGET", "", "host:port, tcp://, tls://, unix:/path, ws://, wss://, fme:NAME, passthrough+ws://, passthrough+wss://, passthrough+unix:/path, or token: for the token's", &r.Target},
		{"name", "", "NAME", "", "the route's name, for logs, broadcast groups and on_error", &r.Name},
		{"enabled", "", "", "true", "false: the route is left out", &r.Enabled},
		{"content", "", "TYPE", "none", "what text messages are held against: application/json, application/xml, text/xml, auto for what the client asks for, or none", &r.Content},
		{"require-content", "", "", "", "refuse clients that ask for no content type", &r.RequireContent},
		{"in", "", "STEP", "", "a step for messages to the target; may be repeated", &r.In},
		{"out", "", "STEP", "", "a step for messages to the client; may be repeated", &r.Out},
		{"on-error", "", "WHAT", "close", "what becomes of a bad message: close, drop, reply, or route:NAME to send it there", &r.OnError},
		{"binary", "", "refuse|pass", "refuse", "binary messages of a session with a content type", &r.Binary},
		{"single", "", "", "", "a step may make no more than one message of one", &r.Single},
		{"max-message", "", "BYTES", "16777216", "the largest message", &r.MaxMessage},
		{"subprotocols", "", "NAMES", "", "the only subprotocols offered to the target", &r.Offer},
		{"strict-subprotocol", "", "", "", "refuse a target that chooses none of them", &r.StrictOffer},
		{"on-connect", "", "backend-first|accept-first", "backend-first", "reach the target before the client is answered, or after", &r.OnConnect},
		{"broadcast", "", "LEVEL", "0", "who gets what the target says: 0 the client, 1 all clients of the route and path, 2 all but the client", &r.Broadcast},
		{"compress", "", "default|off|auto|on", "default", "permessage-deflate for clients of the route; default is the bridge's --compress", &r.Compress},
		{"forward-headers", "", "NAMES", "", "request headers that the target gets", &r.ForwardHeaders},
		{"set-headers", "", "'NAME: V'", "", "a header that the target gets; may be repeated", &r.SetHeaders},
		{"forwarded", "", "", "", "tell the target X-Forwarded-For, -Proto and -Host", &r.Forwarded},
		{"send-proxy", "", "default|off|v1|v2", "default", "tell a target of bytes who its client is, by a PROXY header; default: as --send-proxy says", &r.SendProxy},
		{"pass-control", "", "", "", "pings and pongs cross instead of being answered here", &r.PassControl},
		{"target-ca", "", "F", "", "trust the authorities in F, PEM, and no others", &r.TargetCA},
		{"target-insecure", "", "", "", "take any certificate", &r.TargetInsecure},
		{"target-name", "", "NAME", "", "the name in the target's certificate, if it is not its host", &r.TargetName},
		{"target-cert", "", "F", "", "the certificate to show the target, PEM", &r.TargetCert},
		{"target-key", "", "F", "", "its key, if it is not in the same file", &r.TargetKey},
		{"allow-cn", "", "", "", "passthrough: take a certificate that has its name in CN only", &r.AllowCN},
		{"idle", "", "N", "10m", "passthrough: seconds of silence both ways; 0: no limit", &r.Idle},
		{"host-target", "", "", "", "passthrough: send the target's Host instead of the client's", &r.HostTarget},
		{"refused-status", "", "502|503", "502", "passthrough: the answer for a target that refuses the connection", &r.Refused},
	}
}

// routeTable is a new route with its defaults, and the table that fills it.
func routeTable(place string) (*Route, table) {
	r := &Route{Place: place, origins: make(origins)}
	t := table(r.options())
	r.origins.apply(t.defaults()) // a test holds that they can be read
	return r, t
}

// RouteTo is the route of every path to target, all else at its default.
func RouteTo(target string) Route {
	r, _ := routeTable("target")
	r.Path, r.Name, r.Target = "*", "*", target
	return *r
}

const routeHint = `write --route "/chat=ws://127.0.0.1:5000/x"`

// readRoute takes a route as --route has it: [HOST]/PATH=TARGET, then any
// options as name=value, in quotes where a value has spaces.
func readRoute(spec, place string) (*Route, error) {
	words, ok := splitWords(spec)
	if !ok || len(words) == 0 {
		return nil, usageErrorf(routeHint, "%s: %q: a quote is not closed, or nothing is there", place, spec)
	}
	pattern, to, ok := strings.Cut(words[0], "=")
	if !ok {
		return nil, usageErrorf(routeHint, "%s: %q has no target", place, spec)
	}
	r, t := routeTable(place)
	if r.Path = pattern; pattern != "*" {
		slash := max(strings.IndexByte(pattern, '/'), 0)
		r.Host, r.Path = pattern[:slash], pattern[slash:]
	}
	r.Target = to
	given, err := t.readWords(words[1:], place)
	if err == nil {
		err = r.origins.apply(given)
	}
	if err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}

// readWords takes name=value each; a name alone is a switch that is on.
func (t table) readWords(words []string, place string) (given []assignment, err error) {
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		o, known := t.find(strings.ReplaceAll(name, "_", "-"), long)
		switch {
		case !known:
			return nil, usageErrorf(didYouMean(name, t.names(long)), "%s: unknown option %q of a route", place, name)
		case !ok && o.isSwitch():
			value = "true"
		case !ok:
			return nil, usageErrorf("write "+name+"="+o.Metavar, "%s: option %s of a route needs a value", place, name)
		}
		given = append(given, assignment{o, value, Origin{Source: Flag, Place: place + ": " + name}})
	}
	return given, nil
}

// splitWords splits at spaces, as a shell does: single and double quotes keep
// theirs.
func splitWords(text string) (words []string, ok bool) {
	var word strings.Builder
	quote, inWord := rune(0), false
	for _, c := range text {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == ' ' || c == '\t':
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, quote == 0
}

// check is what can be told of a route by itself. What its target and steps
// are is for the rooms that open them.
func (r *Route) check() *UsageError {
	wrong := func(hint, format string, args ...any) *UsageError {
		return usageErrorf(hint, "%s: "+format, append([]any{r.Place}, args...)...)
	}
	if r.Name == "" {
		r.Name = r.Host + r.Path
	}
	switch onErrorRoute, faulty := strings.CutPrefix(r.OnError, "route:"); {
	case r.Path == "" && strings.HasPrefix(r.Target, "file:"): // for on-error of others
	case r.Path == "":
		return wrong(`path: "*" is every path`, "the route has no path")
	case r.Path != "*" && !strings.HasPrefix(r.Path, "/"):
		return wrong("write /"+r.Path, "path %q does not begin with a slash", r.Path)
	case r.Target == "":
		return wrong("write target: host:port below its path", "the route has no target")
	case r.Broadcast > 2:
		return wrong("0 the client, 1 all clients of the path, 2 all but the client", "broadcast level %d does not exist", r.Broadcast)
	case faulty && onErrorRoute == "":
		return wrong("write route:NAME", "on-error names no route")
	case !faulty && r.OnError != "close" && r.OnError != "drop" && r.OnError != "reply":
		return wrong(didYouMean(r.OnError, []string{"close", "drop", "reply", "route:NAME"}), "on-error: %q is not one of close, drop, reply, route:NAME", r.OnError)
	}
	for _, line := range r.SetHeaders {
		if name, _, ok := strings.Cut(line, ":"); !ok || http.CanonicalHeaderKey(name) == "" || strings.ContainsAny(line, "\r\n") {
			return wrong("write 'Name: value'", "set-headers: %q is no header", line)
		}
	}
	return nil
}

// takeRoutes reads what --route said, behind the routes of the file, and
// refuses two of a name.
func (c *Config) takeRoutes() error {
	for _, spec := range c.RouteSpecs {
		r, err := readRoute(spec, cmp.Or(c.Origin("route").Place, "--route"))
		if err != nil {
			return err
		}
		c.Routes = append(c.Routes, *r)
	}
	seen := map[string]string{}
	for _, r := range c.Routes {
		if other, twice := seen[r.Name]; twice {
			return usageErrorf("give one of them another name", "%s: a route named %q is there already: %s", r.Place, r.Name, other)
		}
		seen[r.Name] = r.Place
	}
	return nil
}
