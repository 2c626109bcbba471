// Package config turns a command line, the environment and a YAML file into
// one typed Config. A single table of options (see options.go) is the source
// of the flags, the WSBRIDGE_* names, the file keys, the help text, the OPTIONS
// part of the manual and the reference file.
//
// A flag wins over the environment, the environment over the file, the file
// over the default; Config.Origin tells which one spoke.
package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Config is what the person asked for. Every duration of 0 means "off".
type Config struct {
	Listen         []string // [addr:]port each, as written
	UnixListen     string   // a socket's path; empty: none
	UnixListenMode string   // octal
	Inetd          bool     // standard input is the socket
	PreferIPv6     bool
	PortOffset     int // added to every port that is listened on

	ProxyProtocol      []string // addresses, networks, "unix"
	TrustedProxy       []string // the same
	TrustedProxyHeader string
	Target             string // host:port, an IPv6 host in brackets; empty: one of those below
	UnixTarget         string // a socket's path
	SSLTarget          bool
	TargetCA           string
	TargetInsecure     bool
	TargetCert         string
	TargetKey          string
	TargetName         string
	SendProxy          string // "off", "v1" or "v2"

	Routes     []Route  // of the file, then of the command line
	RouteSpecs Verbatim // --route, as written
	WebSockets Verbatim // Hiawatha's lines, as written

	HubEngine     string // nats://...; empty: this machine alone
	HubEcho       bool
	HubAdmin      string
	HubErrors     string
	HubStrictJSON bool
	HubSlow       string
	HubPermits    Verbatim      // "USER OPEN SEND" each
	HubRate       int           // messages a second; 0: the hub's default
	HubMaxStreams int           // of a client; 0: the hub's default
	HubIdle       time.Duration // without a stream
	HubMaxMessage int           // bytes; 0: the hub's default

	Command  []string // what stood behind "--"; empty: nothing is wrapped
	WrapPort int      // the port Command serves
	WrapMode string   // "exit", "ignore" or "respawn"
	WrapWait time.Duration

	TokenPlugin  string
	TokenSource  string
	TargetConfig string // the old name of TokenFile and its source
	HostToken    bool
	TokenFrom    []string

	AuthPlugin string
	AuthSource string
	WebAuth    bool

	Cert            string // PEM chain, perhaps with the key; need not exist
	Key             string // PEM key; empty: in Cert
	KeyPassword     string
	KeyPasswordFile string
	SSLOnly         bool
	SSLVersion      string
	SSLCiphers      string
	HTTP2           string // "on", "off" or "cleartext"
	VerifyClient    bool
	CAFile          string

	ACME          []string // names; empty: off
	ACMEEmail     string
	ACMEDirectory string // URL
	ACMECache     string // directory
	ACMECA        string
	ACMEKeyID     string
	ACMEKeyFile   string

	Web      string // directory; empty: none
	FileOnly bool
	Pages    bool // the built-in ones, instead of Web

	Record      string // file names' beginning; empty: nothing is recorded
	RecordLimit int    // megabytes for a file; 0: no limit

	RunOnce     bool
	Timeout     time.Duration // to listen
	IdleTimeout time.Duration // without a connection
	Daemon      bool
	PIDFile     string
	Sandbox     string // "auto" or "off"
	Libserver   bool   // accepted, and of no effect

	Heartbeat   time.Duration
	SessionIdle time.Duration
	Text        bool
	Legacy      bool
	Pump        string // "auto" or "goroutines"
	Compress    string // "off", "auto" or "on"
	Subprotocol []string

	ClientRules          []string // in order
	Origins              []string
	TargetRules          []string // of targets that others chose, in order
	Expect               string   // of the target's first bytes
	Rate, RatePerUser    string
	MaxSessionsPerUser   int
	MaxSessionsPerTarget int
	Bandwidth            string
	BandwidthPerUser     string
	BandwidthPerIP       string
	SessionBytes         string
	SessionTime          time.Duration

	MaxSessions      int    // 0: from the open-file limit
	MaxSessionsPerIP int    // 0: no limit of its own
	MemoryLimit      string // a size, or "off"; empty: GOMEMLIMIT, or the cgroup's
	DialTimeout      time.Duration
	EndTimeout       time.Duration
	DrainTimeout     time.Duration
	UpgradeTimeout   time.Duration
	OnReload         string // "keep", "kill" or "grace=TIME"; see EndsOnReload

	Admin          string // [addr:]port or unix:/path; empty: none
	AdminTokenFile string
	AdminNames     []string
	ReadyDial      bool

	Verbose   bool
	Traffic   bool
	LogFormat string // "text" or "json"
	LogFile   string
	Syslog    string
	OldSyslog bool // the BSD form

	File    string // the configuration file; empty: none
	Help    bool   // only help is wanted: nothing else is filled in
	Version bool   // likewise

	// Warnings are for the log: they stopped nothing.
	Warnings []string

	files   []string
	origins origins
}

// UsageError is a mistake of the person at the keyboard (exit status 2).
type UsageError struct {
	Msg  string // what is wrong
	Hint string // what to do about it; may be empty
}

func (e *UsageError) Error() string { return e.Msg }

func usageErrorf(hint, format string, args ...any) *UsageError {
	return &UsageError{Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// Source is a kind of place that values come from, the weakest first.
type Source int

// The sources, in order of precedence.
const (
	Default Source = iota
	File
	Environment
	Flag
)

// Origin is where a value came from.
type Origin struct {
	Source Source
	Place  string // "--cert", "WSBRIDGE_CERT", "bridge.yaml:3"; empty for a default
	Secret bool   // a ${...} is part of it: not for anybody's eyes
}

// Files are those that were read: the configuration file, what it includes, and
// its secrets.
func (c *Config) Files() []string { return c.files }

// Origin tells where the value of the option with this long name came from.
func (c *Config) Origin(long string) Origin { return c.origins[long] }

// Parse reads args (without the program's name) and environ ("NAME=value"),
// and the file they name. commands are the subcommands that exist, for hints.
// The error is a *UsageError. With Help or Version set in the Config, nothing
// but the options was looked at.
func Parse(args, environ, commands []string) (*Config, error) {
	c, words, command, err := read(args, environ)
	if err != nil || c.Help || c.Version {
		return c, err
	}
	if err := c.place(words, command, commands); err != nil {
		return nil, c.Located(err)
	}
	return c, c.Located(c.Validate())
}

// Peek is Parse for who wants to know a setting of a bridge and none to run:
// where it listens and where it leads may be missing.
func Peek(args, environ []string) (*Config, error) {
	c, _, _, err := read(args, environ)
	return c, err
}

// read takes the options from everywhere; the words that are none are left.
func read(args, environ []string) (c *Config, words, command []string, err error) {
	c = &Config{origins: make(origins)}
	t := newTable(c)
	given, words, command, err := t.readArgs(args)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := c.origins.apply(textAsked(given)); err != nil || c.Help || c.Version {
		return c, nil, nil, err
	}
	env, warnings := t.readEnv(environ)
	c.Warnings = warnings
	file, err := t.readFile(lastText(env, given, &c.File), environ)
	if err != nil {
		return nil, nil, nil, err
	}
	c.Routes, c.files = file.routes, file.read
	for _, layer := range [][]assignment{t.defaults(), file.given, env, given} {
		if err := c.origins.apply(layer); err != nil {
			return nil, nil, nil, err
		}
	}
	return c, words, command, c.Located(c.takeRoutes())
}

// assignment is one value given to one option in one place.
type assignment struct {
	option Option
	text   string
	origin Origin
}

// origins is where each option's value came from, by long name.
type origins map[string]Origin

// apply sets what a layer says, over what the layers before it said.
func (o origins) apply(layer []assignment) error {
	for _, a := range layer {
		before, set := o[a.option.Long]
		more := set && before.Source == a.origin.Source
		if err := a.option.set(a.text, more); err != nil {
			return usageErrorf(err.Hint, "%s: %s", a.place(), a.hidden(err.Msg))
		}
		a.origin.Secret = a.origin.Secret || more && before.Secret
		o[a.option.Long] = a.origin
	}
	return nil
}

// hidden is a message about the value without the value, where that is secret.
func (a assignment) hidden(msg string) string {
	if !a.origin.Secret {
		return msg
	}
	return strings.ReplaceAll(msg, strconv.Quote(a.text), strconv.Quote(hidden))
}

// place names the spot of a bad value: a file's line needs the key as well.
func (a assignment) place() string {
	if a.origin.Source == File {
		return a.origin.Place + ": " + a.option.Long
	}
	return a.origin.Place
}

// Located is err without the secrets of the configuration in it. Where it
// begins with an option, "--cert: ...", that the environment or a file has set,
// it tells where: "bridge.yaml:4: cert: ...".
func (c *Config) Located(err error) error {
	var usage *UsageError
	if !errors.As(err, &usage) {
		return err
	}
	return usageErrorf(usage.Hint, "%s", c.hide(c.locate(usage.Msg)))
}

func (c *Config) locate(msg string) string {
	name, ok := strings.CutPrefix(msg, "--")
	if !ok {
		return msg
	}
	if end := strings.IndexAny(name, ": "); end >= 0 {
		name = name[:end]
	}
	origin := c.Origin(name)
	if origin.Source == Default || origin.Source == Flag {
		return msg
	}
	return assignment{option: Option{Long: name}, origin: origin}.place() + strings.TrimPrefix(msg, "--"+name)
}

// lastText is the value that the stronger of two layers gives to an option.
func lastText(weak, strong []assignment, to any) (text string) {
	for _, layer := range [][]assignment{weak, strong} {
		for _, a := range layer {
			if a.option.to == to {
				text = a.text
			}
		}
	}
	return text
}
