package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	maxInt     = math.MaxInt32
	maxSeconds = 1_000_000_000 // 31 years: far from where a time.Duration overflows
)

// Kind is what the option takes: "switch", "number", "seconds", "list" or "text".
func (o Option) Kind() string {
	switch o.to.(type) {
	case *bool:
		return "switch"
	case *int:
		return "number"
	case *time.Duration:
		return "seconds"
	case *[]string, *Verbatim:
		return "list"
	}
	return "text"
}

// set parses text into the option's field. A list is added to when more is
// true and begins anew otherwise; of anything else the last value wins.
func (o Option) set(text string, more bool) (err *UsageError) {
	switch to := o.to.(type) {
	case *bool:
		*to, err = parseBool(text)
	case *int:
		if *to, err = parseInt(text); err == nil {
			err = o.checkChoice(text)
		}
	case *time.Duration:
		*to, err = parseSeconds(text)
	case *[]string:
		if !more {
			*to = nil
		}
		*to = append(*to, splitList(text)...)
	case *Verbatim:
		if !more {
			*to = nil
		}
		if text != "" {
			*to = append(*to, text)
		}
	case *string:
		*to, err = text, o.checkChoice(text)
	}
	return err
}

func parseBool(text string) (bool, *UsageError) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, usageErrorf("write true or false", "%q is not true or false", text)
}

// parseInt takes decimal, 0x, 0b and 0 (octal) forms, as the ancestor does.
func parseInt(text string) (int, *UsageError) {
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil || n < 0 || n > maxInt || strings.Contains(text, "_") {
		return 0, usageErrorf("write it as 10, 0x1f, 0b11 or 017", "%q is not a whole number from 0 to %d", text, maxInt)
	}
	return int(n), nil
}

// parseSeconds takes what parseInt takes, as seconds, and Go's durations.
func parseSeconds(text string) (time.Duration, *UsageError) {
	d, err := time.ParseDuration(text)
	if n, bad := parseInt(text); bad == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < 0 || d > maxSeconds*time.Second {
		return 0, usageErrorf("write 30 or 30s, 5m, 1h30m; 0 is off", "%q is not a time from 0 to %d seconds", text, maxSeconds)
	}
	return d, nil
}

func splitList(text string) (items []string) {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// choices are the only values the option takes; none: any will do.
func (o Option) choices() []string {
	if !strings.Contains(o.Metavar, "|") {
		return nil
	}
	return strings.Split(o.Metavar, "|")
}

func (o Option) checkChoice(text string) *UsageError {
	choices := o.choices()
	if choices == nil {
		return nil
	}
	for _, c := range choices {
		if c == text {
			return nil
		}
	}
	return usageErrorf(didYouMean(text, choices), "%q is not one of %s", text, strings.Join(choices, ", "))
}
