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
		{"Target", c.targets()},
		{"Message hub", c.hub()},
		{"Wrapping a program", c.wrapping()},
		{"Tokens and users", c.policy()},
		{"TLS", c.tls()},
		{"Web pages", c.web()},
		{"Sessions", c.sessions()},
		{"Recording", c.recording()},
		{"Access", c.access()},
		{"Limits", c.limits()},
		{"Process", c.process()},
		{"Administration", c.administration()},
		{"Logging", c.logging()},
		{"General", c.general()},
	}
}

func (c *Config) listening() []Option {
	return []Option{
		{"listen", "", "ADDR", "", "listen on ADDR, which is [addr:]port, or systemd or systemd:NAME for sockets that systemd has opened; may be repeated; the only positional is then the target", &c.Listen},
		{"prefer-ipv6", "6", "", "", "listen on the IPv6 address of a name that has both kinds", &c.PreferIPv6},
		{"unix-listen", "", "F", "", "listen on the unix socket F; the only positional is then the target", &c.UnixListen},
		{"unix-listen-mode", "", "OCTAL", "600", "who may connect to the unix socket", &c.UnixListenMode},
		{"port-offset", "", "N", "0", "add N to every port that is listened on", &c.PortOffset},
		{"proxy-protocol", "", "TRUSTED", "", "connections from these addresses or networks, or unix, begin with a PROXY header; may be repeated", &c.ProxyProtocol},
		{"trusted-proxy", "", "TRUSTED", "", "believe these addresses or networks, or unix, who their clients are; may be repeated", &c.TrustedProxy},
		{"trusted-proxy-header", "", "x-forwarded-for|forwarded", "x-forwarded-for", "what trusted proxies say it in: X-Forwarded-For, -Proto and -Host, or Forwarded", &c.TrustedProxyHeader},
		{"inetd", "", "", "", "standard input is the socket: a listening one, or one connection; the only positional is then the target", &c.Inetd},
	}
}

func (c *Config) targets() []Option {
	return []Option{
		{"target", "", "TARGET", "", "the target, instead of the last positional: host:port, unix:/PATH, tls://, ws:// or wss://host:port/path, fme:NAME, passthrough+ws://...", &c.Target},
		{"route", "", "PATH=TARGET", "", "clients of PATH, [host]/path or *, go to TARGET; options of the route may follow, as name=value; may be repeated", &c.RouteSpecs},
		{"websocket", "", "LINE", "", "a route as Hiawatha has it: \"ws://127.0.0.1:5000 /chat 15\", handshake passed through; may be repeated", &c.WebSockets},
		{"unix-target", "", "F", "", "the target is the unix socket F", &c.UnixTarget},
		{"send-proxy", "", "off|v1|v2", "off", "tell a target of bytes who its client is, by a PROXY header in front of them", &c.SendProxy},
		{"ssl-target", "", "", "", "speak TLS to the target, and verify its certificate", &c.SSLTarget},
		{"target-ca", "", "F", "", "with TLS to the target: trust the authorities in F, PEM, and no others", &c.TargetCA},
		{"target-insecure", "", "", "", "with TLS to the target: take any certificate", &c.TargetInsecure},
		{"target-cert", "", "F", "", "with TLS to the target: the certificate to show the target, PEM", &c.TargetCert},
		{"target-key", "", "F", "", "with --target-cert: its key, if it is not in the same file", &c.TargetKey},
		{"target-name", "", "NAME", "", "with TLS to the target: the name in the target's certificate, if it is not its host", &c.TargetName},
	}
}

func (c *Config) hub() []Option {
	return []Option{
		{"hub-engine", "", "URL", "", "join the hubs of that name on other machines by the NATS server nats://host:4222, or tls://", &c.HubEngine},
		{"hub-admin", "", "loopback|authenticated|any|off", "loopback", "who may ask a hub for its table of channels", &c.HubAdmin},
		{"hub-echo", "", "", "", "a sender to a hub gets its own messages, too", &c.HubEcho},
		{"hub-errors", "", "frame|close|silent", "frame", "how a hub's client is told what it did wrong", &c.HubErrors},
		{"hub-strict-json", "", "", "", "a hub takes nothing but JSON; else it is as lenient as FME", &c.HubStrictJSON},
		{"hub-slow", "", "disconnect|drop-oldest|drop-newest", "disconnect", "what becomes of a hub's client that takes its messages slowly, once its queue is full", &c.HubSlow},
		{"hub-permit", "", "'USER OPEN SEND'", "", "USER (*: any other user, -: nobody known) may open and send to streams of these names, lists with commas in which * stands for anything; may be repeated; without it all may", &c.HubPermits},
		{"hub-rate", "", "N", "0", "messages a second that one client may send to a hub; 0: 500", &c.HubRate},
		{"hub-max-streams", "", "N", "0", "streams that one client may open; 0: 100", &c.HubMaxStreams},
		{"hub-idle", "", "N", "60s", "seconds that a hub's client may have no stream open", &c.HubIdle},
		{"hub-max-message", "", "BYTES", "0", "the largest message a hub takes; 0: a megabyte", &c.HubMaxMessage},
	}
}

func (c *Config) wrapping() []Option {
	return []Option{
		{"wrap-mode", "", "exit|ignore|respawn", "exit", "what follows when the wrapped program ends: exit with its status, go on serving its port, start it again", &c.WrapMode},
		{"wrap-wait", "", "N", "10s", "seconds that a client waits for the wrapped program to serve its port", &c.WrapWait},
	}
}

func (c *Config) policy() []Option {
	return []Option{
		{"token-plugin", "", "NAME", "", "find the target by a token: TokenFile, TokenFileName, BaseTokenAPI, JSONTokenApi, JWTTokenApi, Ticket, TokenRedis, UnixDomainSocketDirectory, exec, http", &c.TokenPlugin},
		{"token-source", "", "ARG", "", "what the token plugin reads: a file, a directory, a URL, a server, a program", &c.TokenSource},
		{"target-config", "", "F", "", "old form of --token-plugin TokenFile --token-source F", &c.TargetConfig},
		{"host-token", "", "", "", "the token is the Host header's host", &c.HostToken},
		{"token-from", "", "PLACE", "", "where the token is: query:NAME, path:PREFIX, cookie:NAME, header:NAME, subprotocol:PREFIX or host; may be repeated", &c.TokenFrom},
		{"auth-plugin", "", "NAME", "", "let in only whom it knows: BasicHTTPAuth, ExpectOrigin, ClientCertCNAuth, ForwardAuth, exec, http", &c.AuthPlugin},
		{"auth-source", "", "ARG", "", "what the auth plugin goes by: user:password or an htpasswd file, origins, names, a program, a URL", &c.AuthSource},
		{"web-auth", "", "", "", "with --web and --auth-plugin: guard the files too", &c.WebAuth},
	}
}

func (c *Config) tls() []Option {
	return []Option{
		{"cert", "", "F", "self.pem", "certificate chain in PEM, perhaps with its key; without this file TLS is off until it appears; read again when it changes", &c.Cert},
		{"key", "", "F", "", "key of the certificate in PEM, if it is not in the same file", &c.Key},
		{"key-password", "", "P", "", "passphrase of the key; others can see it in ps: better the environment or --key-password-file", &c.KeyPassword},
		{"key-password-file", "", "F", "", "file with the passphrase of the key in its first line", &c.KeyPasswordFile},
		{"ssl-only", "", "", "", "refuse clients that do not speak TLS", &c.SSLOnly},
		{"ssl-version", "", "default|tlsv1_1|tlsv1_2|tlsv1_3", "default", "lowest TLS version; default is 1.2", &c.SSLVersion},
		{"ssl-ciphers", "", "LIST", "", "cipher suites up to TLS 1.2, by OpenSSL's or IANA's names", &c.SSLCiphers},
		{"http2", "", "on|off|cleartext", "on", "offer HTTP/2 to TLS clients, for pages and WebSockets (RFC 8441); cleartext: take it from plain clients too, a proxy say", &c.HTTP2},
		{"acme", "", "NAME", "", "obtain certificates for these names from an authority that speaks ACME, and renew them; may be repeated", &c.ACME},
		{"acme-email", "", "ADDR", "", "with --acme: where the authority may write to", &c.ACMEEmail},
		{"acme-directory", "", "URL", "", "with --acme: the authority; default is Let's Encrypt", &c.ACMEDirectory},
		{"acme-cache", "", "DIR", "", "with --acme: where keys and certificates are kept; for its owner alone", &c.ACMECache},
		{"acme-ca", "", "F", "", "with --acme: trust the authorities in F, PEM, for the directory", &c.ACMECA},
		{"acme-key-id", "", "ID", "", "with --acme: the account that the authority gave, for external account binding", &c.ACMEKeyID},
		{"acme-key-file", "", "F", "", "with --acme-key-id: its key, in the first line of F, base64url", &c.ACMEKeyFile},
		{"verify-client", "", "", "", "clients must speak TLS and show a certificate that --cafile or the system trusts", &c.VerifyClient},
		{"cafile", "", "F", "", "with --verify-client: trust the authorities in F, PEM, and no others", &c.CAFile},
	}
}

func (c *Config) web() []Option {
	return []Option{
		{"web", "", "DIR", "", "serve the files of DIR on the same port", &c.Web},
		{"pages", "", "", "", "serve the pages that are built in: a terminal, a VNC client, a line console", &c.Pages},
		{"file-only", "", "", "", "with --web: list no directories", &c.FileOnly},
	}
}

func (c *Config) recording() []Option {
	return []Option{
		{"record", "", "F", "", "record every session to a file of its own: F.1, F.2 and so on, never one that exists; passwords are in it", &c.Record},
		{"record-limit", "", "MB", "0", "megabytes for one recording; 0: no limit", &c.RecordLimit},
	}
}

func (c *Config) process() []Option {
	return []Option{
		{"daemon", "D", "", "", "go to the background once listening; paths mean what they meant before", &c.Daemon},
		{"pid-file", "", "F", "", "write the process's number to F", &c.PIDFile},
		{"sandbox", "", "auto|off", "auto", "leave the process no files but those that its options name, where the kernel can (Landlock); not with programs of yours", &c.Sandbox},
		{"run-once", "", "", "", "serve one session, then exit", &c.RunOnce},
		{"timeout", "", "N", "0", "stop listening after N seconds, and exit when the last session ends; 0: never", &c.Timeout},
		{"idle-timeout", "", "N", "0", "exit after N seconds without any connection; 0: never", &c.IdleTimeout},
		{"libserver", "", "", "", "accepted for websockify's sake, and of no effect", &c.Libserver},
	}
}

func (c *Config) sessions() []Option {
	return []Option{
		{"heartbeat", "", "N", "0", "ping every client every N seconds and close one that answers none of two; 0: off", &c.Heartbeat},
		{"session-idle", "", "N", "0", "close a session that is silent both ways for N seconds; 0: off", &c.SessionIdle},
		{"pump", "", "auto|goroutines", "auto", "how sessions are carried: by an event loop where the system has one, or by two goroutines each", &c.Pump},
		{"compress", "", "off|auto|on", "off", "permessage-deflate for clients that offer it: never; for messages and for bytes that go as text, which leaves VNC alone; for all sessions", &c.Compress},
		{"text", "", "", "", "send the target's bytes as text frames instead of binary ones", &c.Text},
		{"subprotocol", "", "NAMES", "", "accept only these subprotocols, a list with commas; may be repeated", &c.Subprotocol},
		{"legacy", "", "", "", "let in clients older than RFC 6455, too: versions 8 and 7, hixie-76 and hixie-75", &c.Legacy},
	}
}

func (c *Config) access() []Option {
	return []Option{
		{"client-rules", "", "RULES", "", "who may connect, in order: allow or deny, and an address, a network or all, a list with commas; may be repeated; no word is allow", &c.ClientRules},
		{"origin", "", "ORIGINS", "", "pages that may open sessions: https://host, *.example.com, same-host, null, none (no Origin) or *; may be repeated; with --web or --pages: same-host,none", &c.Origins},
		{"target-rules", "", "RULES", "", "where a token of somebody else's may lead, in order: allow or deny, and host[:port[-port]] or unix:/dir/; loopback, link-local and cloud metadata only if named", &c.TargetRules},
		{"expect", "", "WHAT", "", "what the target says first, or the session ends: rfb, ssh or regex:PATTERN", &c.Expect},
		{"rate", "", "RATE", "", "new sessions of one client address: 10/s, 100/m burst 20", &c.Rate},
		{"rate-per-user", "", "RATE", "", "the same of one user", &c.RatePerUser},
		{"max-sessions-per-user", "", "N", "0", "sessions at a time of one user; 0: no limit of its own", &c.MaxSessionsPerUser},
		{"max-sessions-per-target", "", "N", "0", "sessions at a time to one target; 0: no limit of its own", &c.MaxSessionsPerTarget},
		{"bandwidth", "", "RATE", "", "bytes a second of one session, each way: 512K, 1M, 10Mbit", &c.Bandwidth},
		{"bandwidth-per-user", "", "RATE", "", "the same of all sessions of one user together", &c.BandwidthPerUser},
		{"bandwidth-per-ip", "", "RATE", "", "the same of all sessions of one client address together", &c.BandwidthPerIP},
		{"session-bytes", "", "SIZE", "", "end a session after so many bytes, both ways together: 500M, 10G", &c.SessionBytes},
		{"session-time", "", "N", "0", "end a session after N seconds; 0: off", &c.SessionTime},
	}
}

func (c *Config) limits() []Option {
	return []Option{
		{"max-sessions", "", "N", "0", "sessions at a time; 0: as many as the open-file limit allows", &c.MaxSessions},
		{"max-sessions-per-ip", "", "N", "0", "sessions at a time of one client address; 0: no limit of its own", &c.MaxSessionsPerIP},
		{"memory-limit", "", "SIZE", "", "memory that the bridge may take: 512M, or off; near it new sessions are refused, then the longest idle closed; without it GOMEMLIMIT counts, or the limit of the cgroup less a tenth", &c.MemoryLimit},
		{"dial-timeout", "", "N", "10s", "seconds to connect to the target; 0: as long as the system tries", &c.DialTimeout},
		{"end-timeout", "", "N", "30s", "seconds for a session's second end after its first; 0: as long as it takes", &c.EndTimeout},
		{"drain-timeout", "", "N", "10s", "seconds that sessions have to end after SIGTERM before they are cut; 0: cut at once", &c.DrainTimeout},
		{"upgrade-timeout", "", "N", "0", "seconds that sessions go on in the old process after an upgrade (SIGUSR2), before they are ended as after SIGTERM; 0: until they end", &c.UpgradeTimeout},
		{"on-reload", "", "WHAT", "keep", "live sessions that newly read rules refuse: keep; kill; or grace=5m, kill them after that", &c.OnReload},
	}
}

func (c *Config) administration() []Option {
	return []Option{
		{"admin", "", "ADDR", "", "serve metrics, health, the live sessions and a status page on ADDR: [addr:]port, a port alone is one of 127.0.0.1, or unix:/path, or systemd:NAME", &c.Admin},
		{"admin-token-file", "", "F", "", "with --admin: who shows what is in the first line of F may enter; needed where strangers can come", &c.AdminTokenFile},
		{"admin-name", "", "NAMES", "", "with --admin: host names that it is called by besides localhost, a list with commas; may be repeated", &c.AdminNames},
		{"ready-dial", "", "", "", "/readyz fails, too, while a target cannot be reached", &c.ReadyDial},
	}
}

func (c *Config) logging() []Option {
	return []Option{
		{"verbose", "v", "", "", "log more", &c.Verbose},
		{"traffic", "", "", "", "print a sign for every read and write to standard output", &c.Traffic},
		{"log-file", "", "F", "", "also append the log to F; reopened on SIGHUP", &c.LogFile},
		{"syslog", "", "S", "", "also log to syslog: a socket's path, host:port (UDP), udp://, tcp:// or tls://host:port", &c.Syslog},
		{"legacy-syslog", "", "", "", "with --syslog: the BSD form instead of RFC 5424", &c.OldSyslog},
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
