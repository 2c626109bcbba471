package config

import (
	"net"
	"slices"
	"strconv"
	"strings"
)

const usageHint = "usage: wsbridge [options] [addr:]port host:port"

// place gives the positional words their meaning: [addr:]port host:port, or
// host:port alone when --listen (or its twin in the environment or the file)
// says where to listen. Two words win over an environment or a file. What an
// address to listen on looks like is the business of the room that listens.
func (c *Config) place(words, commands []string) error {
	listening := len(c.Listen) > 0
	byFlag := listening && c.Origin("listen").Source == Flag
	if err := checkCommand(words, commands, listening); err != nil {
		return err
	}
	switch {
	case len(words) == 2 && !byFlag:
		c.Listen = words[:1]
		c.origins["listen"] = Origin{Flag, "[addr:]port"}
		c.Target = words[1]
	case len(words) == 1 && listening:
		c.Target = words[0]
	default:
		return countError(words, listening)
	}
	target, err := readTarget(c.Target)
	c.Target = target
	return err
}

// checkCommand refuses a first word that looks like a command: one that does
// not exist, or one that stands behind options, where it is not looked for.
// A lone word is the target when there is an address to listen on already.
func checkCommand(words, commands []string, listening bool) error {
	if len(words) == 0 || strings.Contains(words[0], ":") || isNumber(words[0]) {
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
		return usageErrorf("with --listen the target is the only one", "too many arguments: %q", words[0])
	}
	return usageErrorf(usageHint, "too many arguments: %q", words[2])
}

// readTarget checks host:port and gives an IPv6 host its brackets.
func readTarget(target string) (string, error) {
	const example = "write host:port, for example localhost:5900"
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
