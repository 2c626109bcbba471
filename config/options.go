package config

import "strings"

// Option is a row of the table. Its kind (switch, text, list, number, seconds)
// follows from the field that it fills.
type Option struct {
	Long    string
	Short   string // one letter, or empty
	Metavar string // empty for a switch; "a|b" lists the only values there are
	Default string
	Help    string
	to      any // *bool, *string, *[]string, *int or *time.Duration
}

// Section is a titled part of the table.
type Section struct {
	Title   string
	Options []Option
}

// Sections is the table, for those who print it.
func Sections() []Section { return new(Config).sections() }

func (c *Config) sections() []Section {
	return []Section{
		{"Listening", c.listening()},
		{"TLS", c.tls()},
		{"Web pages", c.web()},
		{"Sessions", c.sessions()},
		{"Limits", c.limits()},
		{"Logging", c.logging()},
		{"General", c.general()},
	}
}

func (c *Config) listening() []Option {
	return []Option{
		{"listen", "", "ADDR", "", "listen on ADDR, which is [addr:]port; may be repeated; the only positional is then the target", &c.Listen},
	}
}

func (c *Config) tls() []Option {
	return []Option{
		{"cert", "", "F", "self.pem", "certificate chain in PEM, perhaps with its key; without this file TLS is off until it appears; read again when it changes", &c.Cert},
		{"key", "", "F", "", "key of the certificate in PEM, if it is not in the same file", &c.Key},
		{"ssl-only", "", "", "", "refuse clients that do not speak TLS", &c.SSLOnly},
	}
}

func (c *Config) web() []Option {
	return []Option{
		{"web", "", "DIR", "", "serve the files of DIR on the same port", &c.Web},
		{"file-only", "", "", "", "with --web: list no directories", &c.FileOnly},
	}
}

func (c *Config) sessions() []Option {
	return []Option{
		{"heartbeat", "", "N", "0", "ping every client every N seconds and close one that answers none of two; 0: off", &c.Heartbeat},
		{"session-idle", "", "N", "0", "close a session that is silent both ways for N seconds; 0: off", &c.SessionIdle},
		{"text", "", "", "", "send the target's bytes as text frames instead of binary ones", &c.Text},
		{"subprotocol", "", "NAMES", "", "accept only these subprotocols, a list with commas; may be repeated", &c.Subprotocol},
	}
}

func (c *Config) limits() []Option {
	return []Option{
		{"max-sessions", "", "N", "0", "sessions at a time; 0: as many as the open-file limit allows", &c.MaxSessions},
		{"max-sessions-per-ip", "", "N", "0", "sessions at a time of one client address; 0: no limit of its own", &c.MaxSessionsPerIP},
		{"dial-timeout", "", "N", "10s", "seconds to connect to the target; 0: as long as the system tries", &c.DialTimeout},
		{"end-timeout", "", "N", "30s", "seconds for a session's second end after its first; 0: as long as it takes", &c.EndTimeout},
		{"drain-timeout", "", "N", "10s", "seconds that sessions have to end after SIGTERM before they are cut; 0: cut at once", &c.DrainTimeout},
	}
}

func (c *Config) logging() []Option {
	return []Option{
		{"verbose", "v", "", "", "log more", &c.Verbose},
		{"traffic", "", "", "", "print a sign for every read and write to standard output", &c.Traffic},
		{"log-format", "", "text|json", "text", "form of the log on standard error", &c.LogFormat},
	}
}

// general options are about this one command line: see FileKey and Env.
func (c *Config) general() []Option {
	return []Option{
		{"config", "", "F", "", "read options from the YAML file F", &c.File},
		{"help", "h", "", "", "print this help", &c.Help},
		{"version", "", "", "", "print the version", &c.Version},
	}
}

// FileKey is the option's key in the YAML file; empty: it has none.
func (o Option) FileKey() string {
	switch o.Long {
	case "config", "help", "version":
		return ""
	}
	return o.Long
}

// Env is the option's environment name; empty: it has none.
func (o Option) Env() string {
	switch o.Long {
	case "help", "version":
		return ""
	}
	return envPrefix + strings.ToUpper(strings.ReplaceAll(o.Long, "-", "_"))
}

// table is the options in order, for the readers of this package.
type table []Option

func newTable(c *Config) (t table) {
	for _, s := range c.sections() {
		t = append(t, s.Options...)
	}
	return t
}

// names lists what name gives for each option, leaving out the empty ones.
func (t table) names(name func(Option) string) (all []string) {
	for _, o := range t {
		if n := name(o); n != "" {
			all = append(all, n)
		}
	}
	return all
}

// find is the option for which name gives want.
func (t table) find(want string, name func(Option) string) (Option, bool) {
	for _, o := range t {
		if want != "" && name(o) == want {
			return o, true
		}
	}
	return Option{}, false
}

func (t table) defaults() (all []assignment) {
	for _, o := range t {
		if o.Default != "" {
			all = append(all, assignment{option: o, text: o.Default})
		}
	}
	return all
}

func long(o Option) string { return o.Long }
