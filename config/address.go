package config

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"
)

const usageHint = "usage: wsbridge [options] [addr:]port host:port"

// place gives the positional words their meaning. There is one word for where
// to listen, unless an option said it, and one for the target, unless an option
// leads to it or a command is wrapped. Two words win over an environment or a
// file. What an address to listen on looks like is the business of the room
// that listens.
func (c *Config) place(words, command, commands []string) error {
	listening := len(c.Listen) > 0 || c.UnixListen != "" || c.Inetd
	if err := checkCommand(words, commands, listening); err != nil {
		return err
	}
	if command != nil {
		return c.placeCommand(words, command)
	}
	if option := c.targetOption(); option != "" && !c.overrides(words, option, listening) && !c.besides(words, option, listening) {
		return c.placeSource(words, option, listening)
	}
	return c.placeBoth(words, listening)
}

// targetOption is the option that leads to the target, if any.
func (c *Config) targetOption() string {
	switch {
	case c.UnixTarget != "":
		return "--unix-target"
	case c.TokenPlugin != "":
		return "--token-plugin"
	case c.TargetConfig != "":
		return "--target-config"
	case c.Target != "":
		return "--target"
	case len(c.Routes) > 0 || len(c.WebSockets) > 0:
		return "--route"
	}
	return ""
}

// overrides tells whether the words have a target that wins over the
// environment's or the file's.
func (c *Config) overrides(words []string, option string, listening bool) bool {
	weaker := option == "--target" && c.Origin("target").Source < Flag
	return weaker && (len(words) == 2 || len(words) == 1 && listening)
}

// besides tells whether the words have a target for what no route takes.
func (c *Config) besides(words []string, option string, listening bool) bool {
	return option == "--route" && (len(words) == 2 || len(words) == 1 && listening)
}

// placeBoth is the common form: [addr:]port host:port, or host:port alone.
func (c *Config) placeBoth(words []string, listening bool) error {
	elsewhere := c.UnixListen != "" || c.Inetd
	byFlag := len(c.Listen) > 0 && c.Origin("listen").Source == Flag
	switch {
	case len(words) == 2 && !byFlag && !elsewhere:
		c.listenOn(words[0])
		c.leadTo(words[1])
	case len(words) == 1 && listening:
		c.leadTo(words[0])
	default:
		return countError(words, listening)
	}
	return c.takeTarget()
}

func (c *Config) leadTo(word string) {
	c.Target = word
	c.origins["target"] = Origin{Source: Flag, Place: "host:port"}
}

// takeTarget gives the target its form, or tells who set a bad one.
func (c *Config) takeTarget() error {
	target, err := readTarget(c.Target)
	origin := c.Origin("target")
	if err != nil && origin.Source < Flag {
		return usageErrorf(err.Hint, "%s: %s", origin.Place, err.Msg)
	}
	if err != nil {
		return err
	}
	c.Target = target
	return nil
}

func (c *Config) listenOn(word string) {
	c.Listen = []string{word}
	c.origins["listen"] = Origin{Source: Flag, Place: "[addr:]port"}
}

// placeSource takes where to listen, and no target: option leads to it.
func (c *Config) placeSource(words []string, option string, listening bool) error {
	switch {
	case len(words) > 1:
		return usageErrorf("leave out one of them", "too many arguments: %q, but %s leads to the target", words[1], option)
	case len(words) == 1 && (c.UnixListen != "" || c.Inetd):
		return usageErrorf("leave it out", "too many arguments: %q", words[0])
	case len(words) == 1:
		c.listenOn(words[0])
	case !listening:
		return usageErrorf("write it last: [addr:]port", "too few arguments: no port to listen on")
	}
	if c.Target != "" {
		return c.takeTarget()
	}
	return nil
}

// placeCommand is wrapping: the one word is where to listen, and its port is
// the one that the command serves. With --unix-listen it is that port alone.
func (c *Config) placeCommand(words, command []string) error {
	const example = "for example wsbridge 2023 -- telnetd -debug 2023"
	option := c.targetOption()
	switch {
	case len(command) == 0 || command[0] == "":
		return usageErrorf(example, "too few arguments: no command after --")
	case option != "":
		return usageErrorf("leave out one of them", "%s and a command after -- both lead to the target", option)
	case c.Inetd:
		return usageErrorf(example, "--inetd cannot wrap a command: there is no port for it to move from")
	case len(words) == 0 && len(c.Listen) == 0:
		return usageErrorf(example, "too few arguments: no port before --")
	case len(words) > 1:
		return usageErrorf(example, "too many arguments: %q stands before --", words[1])
	}
	c.Command = command
	if len(words) == 1 && c.UnixListen == "" {
		c.listenOn(words[0])
	}
	return c.placeWrapPort(words)
}

func (c *Config) placeWrapPort(words []string) error {
	at := slices.Concat(words, c.Listen)[0]
	port := at[strings.LastIndexByte(at, ':')+1:]
	if err := checkPort(port); err != nil {
		return usageErrorf("the command serves this port, and wsbridge takes its place there", "cannot wrap: %s", err.Msg)
	}
	c.WrapPort, _ = strconv.Atoi(port) // checkPort has read it
	return nil
}

// checkCommand refuses a first word that looks like a command: one that does
// not exist, or one that stands behind options, where it is not looked for.
// A lone word is the target when there is an address to listen on already.
func checkCommand(words, commands []string, listening bool) error {
	if len(words) == 0 || strings.Contains(words[0], ":") || isNumber(words[0]) || words[0] == systemdWord {
		return nil
	}
	if slices.Contains(commands, words[0]) {
		return usageErrorf("write wsbridge "+words[0]+" first, its own options after it", "command %q stands behind an option", words[0])
	}
	if near := nearest(words[0], commands); near != "" {
		return usageErrorf("did you mean wsbridge "+near+"?", "%q is neither a port nor a command", words[0])
	}
	if listening && len(words) == 1 {
		return nil
	}
	return usageErrorf(usageHint, "%q is neither a port nor a command", words[0])
}

func countError(words []string, listening bool) error {
	switch {
	case len(words) == 0 && listening:
		return usageErrorf("write it last: wsbridge --listen 6080 localhost:5900", "too few arguments: no target")
	case len(words) == 0:
		return usageErrorf("for example wsbridge 6080 localhost:5900; see wsbridge --help", "too few arguments: no port to listen on and no target")
	case len(words) == 1:
		return usageErrorf("write it last: wsbridge "+words[0]+" localhost:5900", "too few arguments: no target after %q", words[0])
	case len(words) == 2:
		return usageErrorf("with --listen, --unix-listen or --inetd the target is the only one", "too many arguments: %q", words[0])
	}
	return usageErrorf(usageHint, "too many arguments: %q", words[2])
}

// readTarget checks host:port and gives an IPv6 host its brackets.
func readTarget(target string) (string, *UsageError) {
	const example = "write host:port, for example localhost:5900"
	if HasScheme(target) {
		return target, nil // the room that opens it knows the rest
	}
	if path, ok := strings.CutPrefix(target, "unix:"); ok && !isNumber(path) {
		return "", usageErrorf("write unix:/run/x.sock, or --unix-target "+cmp.Or(path, "PATH"), "target %q: no path from / on", target)
	}
	colon := strings.LastIndexByte(target, ':')
	if strings.Contains(target, "/") {
		return "", usageErrorf(example, "target %q: a slash is in no host:port", target)
	}
	if colon < 0 {
		return "", usageErrorf(example, "target %q has no port", target)
	}
	if colon == 0 {
		return "", usageErrorf("write localhost"+target+" for this machine", "target %q has no host", target)
	}
	host, isHost := trimBrackets(target[:colon])
	if !isHost {
		return "", usageErrorf(example, "target %q: %q is no host", target, target[:colon])
	}
	if err := checkPort(target[colon+1:]); err != nil {
		return "", usageErrorf(example, "target %q: %s", target, err.Msg)
	}
	return net.JoinHostPort(host, target[colon+1:]), nil
}

// HasScheme tells a target that is more than host:port. fme:7078 and unix:7078
// are a host and its port; fme: and fme:NAME are a hub, unix:/PATH is a socket.
func HasScheme(target string) bool {
	scheme, rest, _ := strings.Cut(target, ":")
	switch scheme {
	case "fme":
		return IsHub(target)
	case "unix":
		return strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, "@")
	case "passthrough+unix", "ws+unix":
		return true
	case "tcp", "tls", "ws", "wss", "passthrough+ws", "passthrough+wss":
		return strings.HasPrefix(rest, "//")
	}
	return false
}

// IsHub tells a hub, fme: or fme:NAME, from a host called fme.
func IsHub(target string) bool {
	name, ok := strings.CutPrefix(target, "fme:")
	return ok && !isNumber(name)
}

const systemdWord = "systemd"

// SystemdSocket tells sockets that systemd opened, systemd or systemd:NAME, from
// the port of a host called systemd. name is empty for all that no option names.
func SystemdSocket(address string) (name string, ok bool) {
	if address == systemdWord {
		return "", true
	}
	name, ok = strings.CutPrefix(address, systemdWord+":")
	return name, ok && name != "" && !isNumber(name)
}

// trimBrackets takes the brackets off an IPv6 host.
func trimBrackets(host string) (inner string, ok bool) {
	inner, opened := strings.CutPrefix(host, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	return inner, opened == closed && inner != "" && !strings.ContainsAny(inner, "[] \t\r\n")
}

func checkPort(text string) *UsageError {
	n, err := strconv.Atoi(text)
	if !isNumber(text) {
		return usageErrorf("", "port %q is not a number", text)
	}
	if err != nil || n < 1 || n > 65535 {
		return usageErrorf("", "port %s is not in the range 1 to 65535", text)
	}
	return nil
}

func isNumber(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
