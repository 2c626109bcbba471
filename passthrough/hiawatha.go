package passthrough

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	hiawathaIdle    = 10 * time.Minute
	hiawathaMinutes = 7 * 24 * 60 // the longest silence that can be meant
)

// ParseHiawatha reads the Hiawatha web server's line for a WebSocket, with or
// without "WebSocket =" in front:
//
//	ws://127.0.0.1:5000 /chat,/x 15
//
// target is for Parse, paths are prefixes of URL paths or "*", and idle is the
// silence that ends a connection: 15 minutes here, 10 when nothing is said,
// none for 0. Beyond what Hiawatha reads, a host may be a name and the socket
// may be written unix:/path. An error is one line that says what to write.
func ParseHiawatha(line string) (target string, paths []string, idle time.Duration, err error) {
	if len(line) > 4*maxText {
		return "", nil, 0, fmt.Errorf("WebSocket line of %d bytes: write at most %d", len(line), 4*maxText)
	}
	fields := strings.Fields(withoutKey(line))
	if len(fields) < 2 || len(fields) > 3 {
		return "", nil, 0, fmt.Errorf("WebSocket line %q: write a target, paths with commas and no blanks between them, and minutes, as in ws://127.0.0.1:5000 /chat,/news 15", line)
	}
	if target, err = hiawathaTarget(fields[0]); err == nil {
		paths, err = hiawathaPaths(fields[1])
	}
	if idle = hiawathaIdle; err == nil && len(fields) == 3 {
		idle, err = hiawathaTime(fields[2])
	}
	if err != nil {
		return "", nil, 0, fmt.Errorf("WebSocket line %q: %w", line, err)
	}
	return target, paths, idle, nil
}

func withoutKey(line string) string {
	key, rest, ok := strings.Cut(line, "=")
	if ok && strings.EqualFold(strings.TrimSpace(key), "websocket") {
		return rest
	}
	return line
}

func hiawathaTarget(s string) (string, error) {
	switch {
	case strings.HasPrefix(s, "/"):
		s = "unix:" + s
	case strings.HasPrefix(s, "ws://"), strings.HasPrefix(s, "wss://"), strings.HasPrefix(s, "unix:/"):
	default:
		return "", fmt.Errorf("target %q: write ws://host:port, wss://host:port or the path of a unix socket", s)
	}
	t, err := Parse("passthrough+" + s)
	if err != nil {
		return "", err
	}
	return t.String(), nil
}

func hiawathaPaths(s string) ([]string, error) {
	paths := strings.Split(s, ",")
	for _, path := range paths {
		switch {
		case path == "*":
		case !strings.HasPrefix(path, "/"):
			return nil, fmt.Errorf("path %q does not begin with /: write /chat, or * for all", path)
		case strings.ContainsAny(path, "?#*") || strings.ContainsFunc(path, isOdd):
			return nil, fmt.Errorf("path %q: the query is no part of it, a * stands alone, and it is nothing but ASCII", path)
		}
	}
	return paths, nil
}

func hiawathaTime(s string) (time.Duration, error) {
	minutes, err := strconv.ParseUint(s, 10, 32)
	if err != nil || minutes > hiawathaMinutes {
		return 0, errors.New("the last word is a number of minutes, from 0 (no limit) to " + strconv.Itoa(hiawathaMinutes))
	}
	return time.Duration(minutes) * time.Minute, nil
}
